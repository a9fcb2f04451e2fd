import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { Server as NetServer } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Config } from '../../config.js';
import type { BusCounters } from '../../domain/bus.js';
import type { Log } from '../../domain/ports.js';
import { StartupError } from '../../startup-error.js';
import type { BudgetedConnection, ByteBudget } from '../budget.js';
import { closeEvenly } from '../drain.js';
import type { GraphiQL } from '../graphiql/index.js';
import { createStallClock } from '../stalls.js';
import type { GraphQLOverHttp } from './graphql.js';
import { corsHeaders } from './origins.js';
import { refuseUpgrade } from './refuse-upgrade.js';
import { GRAPHQL_PATH } from './yoga.js';

/** Handlers of the server's routes. `graphql` and `webSockets` return null until the server is ready. */
export interface HttpServices {
  readonly config: Config;
  readonly log: Log;
  readonly graphiql: GraphiQL | null;
  /** The response of `/ready`. */
  readonly readiness: () => Promise<Readiness>;
  readonly graphql: () => GraphQLOverHttp | null;
  /** How long a client may read nothing while data waits for it, in ms. */
  readonly stallTimeoutMs: number;
  /** Limits the unsent bytes of all connections; enforced here, once a second. */
  readonly budget: ByteBudget;
  readonly webSockets: () => { upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void } | null;
}

export interface Readiness {
  readonly status: 'ready' | 'not ready' | 'stopping';
  readonly checks: Readonly<Record<string, boolean>>;
  /** Failures that the bus has recovered from since the start of the process; null until it is connected. */
  readonly bus: Readonly<BusCounters> | null;
}

const JSON_TYPE = 'application/json; charset=utf-8';

export interface HttpServer {
  /**
   * Listens on the configured host and port.
   *
   * @returns the port, chosen by the system if the configured one is 0.
   * @throws StartupError if the port is in use or the address is not available.
   */
  listen(address: Pick<Config, 'host' | 'port'>): Promise<number>;
  /** Accepts no new connections or WebSockets. Open connections get one more response each. */
  stopListening(): void;
  /**
   * Disconnects event streams, evenly spread over `overMs`. They get no `complete`, so their clients reconnect and resume.
   */
  closeEventStreams(overMs: number): Promise<void>;
  /** Closes all connections after their pending responses, which get 5 s. */
  close(): Promise<void>;
}

/** How long pending responses may take when the server stops, in ms. */
const RESPONSE_TIMEOUT_MS = 5000;
/** How often pending responses are checked for stalled clients, in ms. */
const CHECK_INTERVAL_MS = 1000;

/** Creates the HTTP server, which also passes on WebSocket upgrades. */
export function createHttpServer(parts: HttpServices): HttpServer {
  const { config, log, graphiql, readiness, graphql, webSockets, stallTimeoutMs, budget } = parts;

  async function respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = pathOf(request);
    if (path === '/health') return sendJson(response, 200, { status: 'ok' });
    if (path === '/ready') {
      const state = await readiness();
      return sendJson(response, state.status === 'ready' ? 200 : 503, state);
    }
    if (await graphiql?.handle(request, response)) return;
    if (path !== GRAPHQL_PATH)
      return sendJson(response, 404, { message: `Not found: the API is at ${GRAPHQL_PATH}.` });
    const api = graphql();
    if (!api) return sendNotReady(response);
    // The CORS headers depend on the origin, so a shared cache must keep one response per origin.
    const headers = { vary: 'Origin', ...corsHeaders(config.allowedOrigins, request) };
    if (request.method === 'OPTIONS') response.writeHead(204, { ...headers, 'content-length': '0' }).end();
    else await api.handle(request, response, headers, () => void eventStreams.add(response));
  }

  const pending = new Set<ServerResponse>();
  /** The pending responses of subscriptions; added before the subscription starts. */
  const eventStreams = new WeakSet<ServerResponse>();
  let isListening = true;
  const server = createServer((request, response) => {
    pending.add(response);
    if (!isListening) response.setHeader('connection', 'close');
    response.once('close', () => pending.delete(response));
    respond(request, response).catch((error) => {
      if (response.destroyed) return;
      log.error({ error }, 'Failed to handle an HTTP request');
      if (response.headersSent) response.destroy();
      else sendJson(response, 500, { message: 'Unexpected error.' });
    });
  });

  const stalledFor = createStallClock();
  budget.track(function* () {
    for (const response of pending)
      if (response.socket)
        yield {
          unsentBytes: response.writableLength,
          stalledMs: stalledFor(response.socket),
          disconnect: () => void response.destroy(),
        } satisfies BudgetedConnection;
  });
  // One timer for all responses. An event stream of a stalled client ends without `complete`, so the client may resume.
  const timer = setInterval(() => {
    for (const response of pending) {
      if (!response.socket || stalledFor(response.socket) < stallTimeoutMs) continue;
      log.debug({ stallTimeoutMs }, 'Disconnecting an HTTP client that reads nothing');
      response.destroy();
    }
    budget.enforce();
  }, CHECK_INTERVAL_MS).unref();

  const onSocketError = (error: Error): void =>
    log.debug({ error: error.message }, 'WebSocket upgrade failed');
  server.on('upgrade', (request, socket, head) => {
    // Until ws takes over, the socket has no other error listener, and an unhandled `error` event ends the process.
    socket.on('error', onSocketError);
    const sockets = webSockets();
    if (pathOf(request) !== GRAPHQL_PATH) refuseUpgrade(socket, '404 Not Found');
    else if (!sockets || !isListening) refuseUpgrade(socket, '503 Service Unavailable');
    else sockets.upgrade(request, socket, head);
  });

  return {
    listen: (address) => listen(server, address),
    stopListening() {
      isListening = false;
      // `close` of a plain server: that of an HTTP server also closes idle connections, and a request that a client sends
      // at this moment would be lost.
      NetServer.prototype.close.call(server);
    },
    closeEventStreams: (overMs) =>
      closeEvenly(
        () => [...pending].filter((response) => eventStreams.has(response) && !response.destroyed),
        overMs,
        (response) => void response.destroy(),
      ),
    async close() {
      server.close();
      const completed = [...pending].map((response) => {
        // An event stream that started after `closeEventStreams`.
        if (eventStreams.has(response)) response.destroy();
        return new Promise((resolve) => response.once('close', resolve));
      });
      const timeout = setTimeout(() => server.closeAllConnections(), RESPONSE_TIMEOUT_MS);
      await Promise.all(completed);
      clearTimeout(timeout);
      clearInterval(timer);
      // Only idle connections are left.
      server.closeAllConnections();
    },
  };
}

async function listen(server: Server, { host, port }: Pick<Config, 'host' | 'port'>): Promise<number> {
  try {
    await listenOn(server, host, port);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (host === '::' && (code === 'EAFNOSUPPORT' || code === 'EADDRNOTAVAIL'))
      return listen(server, { host: '0.0.0.0', port });
    throw new StartupError(
      code === 'EADDRINUSE'
        ? `Port ${port} is in use by another program: set PORT to a free one.`
        : `Cannot listen on ${host} port ${port}: ${error instanceof Error ? error.message : error}.`,
    );
  }
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : port;
}

function listenOn(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port }, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

function pathOf(request: IncomingMessage): string {
  return request.url?.split('?')[0] ?? '';
}

function sendNotReady(response: ServerResponse): void {
  response.setHeader('retry-after', '1');
  sendJson(response, 503, {
    errors: [
      {
        message: 'The server is starting and waits for its database: try again in a second.',
        extensions: { code: 'SERVICE_UNAVAILABLE' },
      },
    ],
  });
}

function sendJson(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': JSON_TYPE, 'cache-control': 'no-store' });
  response.end(JSON.stringify(body));
}
