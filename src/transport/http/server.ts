import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { Server as NetServer } from 'node:net';
import type { Duplex } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Config } from '../../config/index.js';
import type { Log } from '../../domain/ports.js';
import { toGraphQLError } from '../../graphql/errors.js';
import { holderOf, tooManyConnections } from '../../graphql/limits/admission.js';
import type { Holder } from '../../lib/share.js';
import { throttleLog } from '../../lib/throttle-log.js';
import type { BudgetedConnection } from '../budget.js';
import { closeEvenly } from '../drain.js';
import type { GraphiQL } from '../graphiql/index.js';
import type { Readiness } from '../readiness.js';
import type { Shares } from '../shares.js';
import { createStallClock } from '../stalls.js';
import type { GraphQLOverHttp } from './graphql.js';
import { listen } from './listen.js';
import { METRICS_PATH, type MetricsSource, sendMetrics } from './metrics.js';
import { createOrigins } from './origins.js';
import { GRAPHQL_PATH, pathOf } from './paths.js';
import { REFUSAL, refuseConnection, refuseUnreadable, sendJson, sendRefusal } from './refusals.js';
import { createTurns, MAX_PIPELINED_REQUESTS } from './turns.js';

/** Handlers of the server's routes. `graphql` and `webSockets` return null until the server is ready. */
export interface HttpServices {
  readonly config: Config;
  readonly log: Log;
  readonly graphiql: GraphiQL | null;
  /** What `/metrics` serves; null if it is not on this port. */
  readonly metrics: MetricsSource | null;
  /** The response of `/ready`. */
  readonly readiness: () => Promise<Readiness>;
  readonly graphql: () => GraphQLOverHttp | null;
  /** How long a client may take to send a request, with its body, in ms. */
  readonly receiveTimeoutMs: number;
  /** How long a client may read nothing while data waits for it, in ms. */
  readonly stallTimeoutMs: number;
  /** The budget of unsent bytes is enforced here, once a second. */
  readonly shares: Shares;
  readonly webSockets: () => { upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void } | null;
}

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

/** How long a client may take to send a request, with its body, in ms. */
export const RECEIVE_TIMEOUT_MS = 20_000;
/** How long pending responses may take when the server stops, in ms. */
const RESPONSE_TIMEOUT_MS = 5000;
/** How often requests and pending responses are checked for stalled clients, in ms. */
const CHECK_INTERVAL_MS = 1000;

/** Of every response, unless it says otherwise: most have the data or the token of one person. */
const DEFAULT_HEADERS: readonly (readonly [name: string, value: string])[] = [
  ['cache-control', 'no-store'],
  ['x-content-type-options', 'nosniff'],
];

/** Creates the HTTP server, which also passes on WebSocket upgrades. */
export function createHttpServer(parts: HttpServices): HttpServer {
  const { config, log, graphiql, metrics, readiness, graphql, webSockets } = parts;
  const { receiveTimeoutMs, stallTimeoutMs, shares } = parts;
  const { budget, addresses, connections } = shares;
  const logDropped = throttleLog((fields, message) => log.warn(fields, message));

  const origins = createOrigins(config.allowedOrigins, log);

  async function respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { isAllowed, headers } = origins.decide(request);
    for (const name in headers) response.setHeader(name, headers[name] ?? '');
    const path = pathOf(request);
    if (path === '/health') return sendJson(response, 200, { status: 'ok' });
    if (path === '/ready') {
      const state = await readiness();
      const isServing = state.status === 'ready' || state.status === 'degraded';
      return sendJson(response, isServing ? 200 : 503, state);
    }
    if (path === METRICS_PATH && metrics) return sendMetrics(metrics, response);
    if (await graphiql?.handle(request, response)) return;
    if (path === GRAPHQL_PATH && !isAllowed) {
      origins.logRefused(request);
      return sendRefusal(response, REFUSAL.origin);
    }
    // A preflight does not depend on the database: the request after it gets a response that the page can read.
    if (request.method === 'OPTIONS') {
      response.writeHead(204, { allow: 'GET, POST, OPTIONS', 'content-length': '0' }).end();
      return;
    }
    if (path !== GRAPHQL_PATH) return sendRefusal(response, REFUSAL.path);
    const api = graphql();
    if (!api) return sendRefusal(response, REFUSAL.notReady);
    await api.handle(request, response, {
      onClient(client) {
        const holder = holderOf(client);
        holders.set(response, holder);
        const connection = request.socket && connections.ofTcp(request.socket);
        if (!connection || holder.userId === null) return;
        const exhausted = connections.signIn(connection, holder.userId);
        if (exhausted) throw tooManyConnections(exhausted);
      },
      onSubscription: () => void eventStreams.add(response),
    });
  }

  const pending = new Set<ServerResponse>();
  /** The pending responses of subscriptions; added before the subscription starts. */
  const eventStreams = new WeakSet<ServerResponse>();
  /** Whose pending responses they are, once that is known. */
  const holders = new WeakMap<ServerResponse, Holder>();
  let isListening = true;
  const turns = createTurns(() =>
    log.debug(
      { max: MAX_PIPELINED_REQUESTS },
      'Disconnecting an HTTP client that pipelines too many requests',
    ),
  );
  const server = createServer(
    {
      headersTimeout: receiveTimeoutMs,
      requestTimeout: receiveTimeoutMs,
      connectionsCheckingInterval: CHECK_INTERVAL_MS,
      // Longer than proxies keep idle connections: otherwise a request may arrive while this end closes one.
      keepAliveTimeout: config.keepAliveSeconds * 1000,
    },
    (request, response) => turns.take(request, response, () => handle(request, response)),
  );
  // Those of proxies are no clients' connections.
  server.maxConnections = config.maxConnections.instance;
  server.on('connection', (socket) => {
    const address = addresses.ofPeer(socket.remoteAddress);
    if (address !== null && !connections.accept(socket, address)) socket.destroy();
  });
  server.on('drop', () =>
    logDropped({ max: config.maxConnections.instance }, 'Refusing connections: there are too many'),
  );
  server.on('clientError', (error, socket) => {
    log.debug({ error: error.message }, 'Rejecting a request that is not valid HTTP');
    // A response in the middle of another one would be garbage.
    if (turns.pending(socket)?.headersSent) socket.destroy();
    else refuseUnreadable(error, socket);
  });

  function handle(request: IncomingMessage, response: ServerResponse): void {
    pending.add(response);
    response.once('close', () => pending.delete(response));
    for (const [name, value] of DEFAULT_HEADERS) response.setHeader(name, value);
    if (!isListening) response.setHeader('connection', 'close');
    respond(request, response).catch((error) => {
      if (response.destroyed) return;
      const { message, extensions } = toGraphQLError(error, log);
      if (response.headersSent) response.destroy();
      else sendJson(response, 500, { errors: [{ message, extensions }] });
    });
  }

  const stalledFor = createStallClock();
  budget.track(function* () {
    for (const response of pending)
      if (response.socket)
        yield {
          holder: holders.get(response) ?? null,
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
    const { isAllowed, headers } = origins.decide(request);
    // Responses to requests before this one would get between the frames.
    if (turns.pending(socket)) socket.destroy();
    else if (pathOf(request) !== GRAPHQL_PATH) refuseConnection(socket, REFUSAL.path, headers);
    else if (!isAllowed) {
      origins.logRefused(request);
      refuseConnection(socket, REFUSAL.origin, headers);
    } else if (!isListening) refuseConnection(socket, REFUSAL.stopping, headers);
    else if (!sockets) refuseConnection(socket, REFUSAL.notReady, headers);
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
      const timeout = new AbortController();
      await Promise.race([Promise.all(completed), sleep(RESPONSE_TIMEOUT_MS, undefined, timeout)]);
      timeout.abort();
      clearInterval(timer);
      server.closeAllConnections();
    },
  };
}
