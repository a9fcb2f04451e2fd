import { createServer, type ServerResponse } from 'node:http';
import { listen } from './listen.js';

export const METRICS_PATH = '/metrics';

/** Where the metrics come from, in Prometheus' text format. */
export interface MetricsSource {
  render(): Promise<{ readonly type: string; readonly text: string }>;
}

/**
 * Serves the metrics on a port of their own, for a network that clients do not reach.
 *
 * @returns a function that stops it.
 * @throws StartupError if the port is in use or the address is not available.
 */
export async function serveMetrics(
  metrics: MetricsSource,
  address: { readonly host: string; readonly port: number },
): Promise<() => void> {
  const server = createServer((request, response) => {
    if (request.url?.split('?')[0] === METRICS_PATH) void sendMetrics(metrics, response);
    else
      response.writeHead(404, { 'content-type': 'text/plain' }).end(`The metrics are at ${METRICS_PATH}.\n`);
  });
  await listen(server, address);
  return () => {
    server.close();
    server.closeAllConnections();
  };
}

export async function sendMetrics(metrics: MetricsSource, response: ServerResponse): Promise<void> {
  const { type, text } = await metrics.render();
  response.writeHead(200, { 'content-type': type, 'cache-control': 'no-store' }).end(text);
}
