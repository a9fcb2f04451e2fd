import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { stopAtEnd } from './stopping.js';

/** The status code of a span that failed. */
const ERROR = 2;

interface ExportedTraces {
  readonly resourceSpans: readonly {
    readonly scopeSpans: readonly { readonly spans: readonly ExportedSpan[] }[];
  }[];
}

interface ExportedSpan {
  readonly name: string;
  readonly status: { readonly code?: number };
  readonly attributes: readonly {
    readonly key: string;
    readonly value: {
      readonly arrayValue?: { readonly values: readonly { readonly stringValue: string }[] };
    };
  }[];
}

/** An OpenTelemetry collector that keeps what it receives (OTLP over HTTP, as JSON). */
export async function startCollector() {
  const exported: ExportedSpan[] = [];
  const server = createServer(async (request, response) => {
    // The test that reads the spans checks them.
    const { resourceSpans } = (await json(request)) as ExportedTraces;
    if (request.url === '/v1/traces')
      exported.push(...resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap(({ spans }) => spans)));
    response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const stop = async (): Promise<void> => {
    stopped();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  const stopped = stopAtEnd(stop);
  // A TCP server has an address with a port.
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    spans: () =>
      exported.map(({ name, status, attributes }) => ({
        name,
        codes: attributes
          .find(({ key }) => key === 'parley.error_codes')
          ?.value.arrayValue?.values.map(({ stringValue }) => stringValue),
        isFailed: status.code === ERROR,
      })),
    stop,
  };
}
