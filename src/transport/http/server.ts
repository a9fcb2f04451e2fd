import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { Server as NetServer } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Config } from '../../config.js';
import type { BusCounters } from '../../domain/bus.js';
import type { Log } from '../../domain/ports.js';
import { StartupError } from '../../startup-error.js';
import type { ByteBudget, Holder } from '../budget.js';
import { closeEvenly } from '../drain.js';
import type { GraphiQL } from '../graphiql/index.js';
import { createStallClock } from '../stalls.js';
import type { GraphQLOverHttp } from './graphql.js';
import { corsHeaders } from './origins.js';
import { refuseUpgrade } from './refuse-upgrade.js';
import { GRAPHQL_PATH } from './yoga.js';

/** What stands behind the paths. `graphql` and `webSockets` are null until the database is there. */
export interface HttpServices {
  readonly config: Config;
  readonly log: Log;
  readonly graphiql: GraphiQL | null;
  /** Whether we can serve, part by part. */
  readonly readiness: () => Promise<Readiness>;
  readonly graphql: () => GraphQLOverHttp | null;
  /** How long a client may take nothing of what waits for it, in ms. */
  readonly stallTimeoutMs: number;
  /** Counts what all connections have not taken yet; looked after here. */
  readonly budget: ByteBudget;
  readonly webSockets: () => { upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void } | null;
}

export interface Readiness {
  readonly status: 'ready' | 'not ready' | 'stopping';
  readonly checks: Readonly<Record<string, boolean>>;
  /** What the bus survived since the start of the process; null until there is one. */
  readonly bus: Readonly<BusCounters> | null;
}

const JSON_TYPE = 'application/json; charset=utf-8';

export interface HttpServer {
  /**
   * Listens where the settings say.
   *
   * @returns the port.
   * @throws StartupError where the port is taken or the address is not ours.
   */
  listen(where: Pick<Config, 'host' | 'port'>): Promise<number>;
  /** Accepts no connection and no WebSocket any more. Connections that are there get one more answer each. */
  stopListening(): void;
  /**
   * Cuts event streams, spread over a time in ms: without their `complete`, which is how their clients know to come
   * back.
   */
  closeEventStreams(overMs: number): Promise<void>;
  /** Ends all connections, once what is under way has been answered. */
  close(): Promise<void>;
}

/** How long answers that are under way may take when the server stops, in ms. */
const ANSWER_TIMEOUT_MS = 5000;
/** How often answers under way are looked after, in ms. */
const CHECK_INTERVAL_MS = 1000;

/** Everything that is asked of us by HTTP, and the hand-over of WebSocket upgrades. */
export function createHttpServer(parts: HttpServices): HttpServer {
  const { config, log, graphiql, readiness, graphql, webSockets, stallTimeoutMs, budget } = parts;

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = pathOf(request);
    if (path === '/health') return sendJson(response, 200, { status: 'ok' });
    if (path === '/ready') {
      const state = await readiness();
      return sendJson(response, state.status === 'ready' ? 200 : 503, state);
    }
    if (await graphiql?.handle(request, response)) return;
    if (path !== GRAPHQL_PATH) return sendJson(response, 404, { message: `The API is at ${GRAPHQL_PATH}.` });
    const pipeline = graphql();
    if (!pipeline) return notReadyYet(response);
    // What an answer allows depends on who asks: a shared cache must not hand one origin's to another.
    const headers = { vary: 'Origin', ...corsHeaders(config.allowedOrigins, request) };
    if (request.method === 'OPTIONS') response.writeHead(204, { ...headers, 'content-length': '0' }).end();
    else await pipeline.handle(request, response, headers, () => void eventStreams.add(response));
  }

  const underWay = new Set<ServerResponse>();
  /** Those of subscriptions, from before they start. */
  const eventStreams = new WeakSet<ServerResponse>();
  let isListening = true;
  const server = createServer((request, response) => {
    underWay.add(response);
    if (!isListening) response.setHeader('connection', 'close');
    response.once('close', () => underWay.delete(response));
    answer(request, response).catch((error) => {
      if (response.destroyed) return;
      log.error({ error }, 'A request could not be answered');
      if (response.headersSent) response.destroy();
      else sendJson(response, 500, { message: 'Unexpected error.' });
    });
  });

  // One timer for all. What a client does not read is cut off, an event stream without its `complete`: it may come back.
  const stalledFor = createStallClock();
  budget.count(function* () {
    for (const response of underWay)
      if (response.socket)
        yield {
          unsentBytes: response.writableLength,
          stalledMs: stalledFor(response.socket),
          cutOff: () => void response.destroy(),
        } satisfies Holder;
  });
  const timer = setInterval(() => {
    for (const response of underWay) {
      if (!response.socket || stalledFor(response.socket) < stallTimeoutMs) continue;
      log.debug({ stallTimeoutMs }, 'An HTTP client that reads nothing is cut off');
      response.destroy();
    }
    budget.enforce();
  }, CHECK_INTERVAL_MS).unref();

  const onSocketError = (error: Error): void => log.debug({ error: error.message }, 'An upgrade failed');
  server.on('upgrade', (request, socket, head) => {
    // Until ws has taken over, nobody else listens, and an error without a listener would end the process.
    socket.on('error', onSocketError);
    const sockets = webSockets();
    if (pathOf(request) !== GRAPHQL_PATH) refuseUpgrade(socket, '404 Not Found');
    else if (!sockets || !isListening) refuseUpgrade(socket, '503 Service Unavailable');
    else sockets.upgrade(request, socket, head);
  });

  return {
    listen: (where) => listen(server, where),
    stopListening() {
      isListening = false;
      // As a plain server does: that of HTTP would also end each connection that waits for its next request, and one
      // that is being written at this moment would be lost.
      NetServer.prototype.close.call(server);
    },
    closeEventStreams: (overMs) =>
      closeEvenly(
        () => [...underWay].filter((response) => eventStreams.has(response) && !response.destroyed),
        overMs,
        (response) => void response.destroy(),
      ),
    async close() {
      server.close();
      const answered = [...underWay].map((response) => {
        // One that came after the others had been closed.
        if (eventStreams.has(response)) response.destroy();
        return new Promise((resolve) => response.once('close', resolve));
      });
      const patience = setTimeout(() => server.closeAllConnections(), ANSWER_TIMEOUT_MS);
      await Promise.all(answered);
      clearTimeout(patience);
      clearInterval(timer);
      // What is left are connections that wait for a next request.
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

function notReadyYet(response: ServerResponse): void {
  response.setHeader('retry-after', '1');
  sendJson(response, 503, {
    errors: [
      {
        message: 'Parley waits for its database: try again.',
        extensions: { code: 'SERVICE_UNAVAILABLE' },
      },
    ],
  });
}

function sendJson(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': JSON_TYPE, 'cache-control': 'no-store' });
  response.end(JSON.stringify(body));
}
