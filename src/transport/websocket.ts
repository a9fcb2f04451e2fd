import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { type Context as ConnectionContext, handleProtocols, makeServer } from 'graphql-ws';
import { type WebSocket, WebSocketServer } from 'ws';
import type { Tokens } from '../auth/tokens.js';
import type { Config } from '../config.js';
import type { Log } from '../domain/ports.js';
import type { Authentication } from '../domain/user.js';
import { authenticateConnection } from './auth.js';
import type { ByteBudget, Holder } from './budget.js';
import { CLOSE, type CloseReason } from './close-codes.js';
import { closeEvenly } from './drain.js';
import { createFanout } from './fanout.js';
import { LIMITS } from './limits.js';
import { createOperationOrder } from './operation-order.js';
import { hasAllowedOrigin } from './origins.js';
import { createOutbox, type Outbox } from './outbox.js';
import { refuseUpgrade } from './refuse.js';
import { createStallClock } from './stalls.js';
import { createOperations, type Extra, type Params } from './websocket-operations.js';
import type { GraphQLPipeline } from './yoga.js';

/** How often sockets are looked after, in ms. */
const ROUND_MS = 1000;
/** A socket is pinged in every so many rounds, and given up where it has not answered by the next ping. */
const PING_ROUNDS = 12;

/** How long a client may take to answer a close, in ms. */
const CLOSE_WAIT_MS = 1000;

export interface WebSocketServices {
  readonly config: Config;
  readonly graphql: GraphQLPipeline;
  readonly tokens: Tokens;
  readonly log: Log;
  /** How long a socket may take nothing of what waits for it, in ms. */
  readonly stallMs: number;
  /** Counts what all sockets have not taken yet. */
  readonly budget: ByteBudget;
}

/** What we know of a socket; a weak map, so that nothing of a socket outlives it. */
interface Connection {
  authentication: Authentication;
  answersPings: boolean;
}

/** GraphQL over WebSocket by the `graphql-transport-ws` protocol: queries and mutations too. */
export function createWebSockets({ config, graphql, tokens, log, stallMs, budget }: WebSocketServices) {
  const server = new WebSocketServer({
    noServer: true,
    handleProtocols,
    maxPayload: LIMITS.requestBytes,
    // Frames are small: compression would cost memory for each socket and time for each frame.
    perMessageDeflate: false,
  });
  const connections = new WeakMap<WebSocket, Connection>();

  async function onConnect({ extra, connectionParams }: ConnectionContext<Params, Extra>): Promise<boolean> {
    const authentication = await authenticateConnection(tokens, connectionParams);
    connections.set(extra.socket, { authentication, answersPings: true });
    if (authentication.kind === 'invalid') return refuse(extra.socket, CLOSE.invalidToken);
    if (authentication.kind === 'expired') return refuse(extra.socket, CLOSE.expiredToken);
    return true;
  }

  const operations = createOperations({
    graphql,
    fanout: createFanout(log),
    log,
    authenticationOf: (socket) => connections.get(socket)?.authentication ?? { kind: 'missing' },
  });
  const protocol = makeServer<Params, Extra>({ onConnect, ...operations.hooks });

  const stalledFor = createStallClock();
  const lines = new WeakMap<WebSocket, { readonly tcp: Duplex; readonly outbox: Outbox }>();
  /** Those that are about to be closed by a stop. */
  const leaving = new WeakSet<WebSocket>();

  /** Resolves when the socket is closed: by an answer of the client's, or without one. What was written is sent before. */
  function closeSocket(socket: WebSocket, { code, reason }: CloseReason): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => socket.terminate(), CLOSE_WAIT_MS);
      socket.once('close', () => {
        clearTimeout(timer);
        resolve();
      });
      lines.get(socket)?.outbox.flush();
      socket.close(code, reason);
      // The answer must be read, also where the client's requests had to wait.
      socket.resume();
    });
  }

  server.on('connection', (socket: WebSocket, request: IncomingMessage) => {
    // A broken frame, one over the limit, a torn connection: ws closes the socket with the right code by itself.
    socket.on('error', (error) => log.debug({ error: error.message }, 'A WebSocket failed'));
    socket.on('pong', () => {
      const connection = connections.get(socket);
      if (connection) connection.answersPings = true;
    });
    // Past the token's expiry nothing is sent, not even that it has expired: an operation that ended with an error
    // would not be resumed, as it is after this close.
    const outbox = createOutbox(socket, request.socket, {
      beforeSend: () => closeIfExpired(socket, connections.get(socket)),
      onTooMuch: () => {
        log.debug({}, 'A WebSocket for which too much waits is closed');
        void closeSocket(socket, CLOSE.tooSlow);
      },
    });
    lines.set(socket, { tcp: request.socket, outbox });
    let handle = async (_text: string): Promise<void> => {};
    const order = createOperationOrder(
      async (text) => {
        // What comes after our close is not begun: its answer could not be sent. The client asks again elsewhere.
        if (socket.readyState !== socket.OPEN || leaving.has(socket)) return;
        await handle(text).catch((error) => {
          log.error({ error }, 'A WebSocket message could not be handled');
          socket.close(CLOSE.fault.code, CLOSE.fault.reason);
        });
      },
      () => socket.close(CLOSE.idInUse.code, CLOSE.idInUse.reason),
    );
    const closed = protocol.opened(
      {
        protocol: socket.protocol,
        // graphql-ws waits for it, and so does the subscription behind it: a slow client is behind, and costs no memory.
        send: outbox.send,
        close(code, reason) {
          outbox.flush();
          socket.close(code, reason);
        },
        onMessage: (listener) => {
          handle = listener;
          socket.on('message', (data) => order.accept(String(data)));
        },
      },
      { socket, outbox, request, underWay: () => order.underWay },
    );
    socket.once('close', (code, reason) => {
      closed(code, String(reason)).catch((error) =>
        log.error({ error }, 'A WebSocket was not closed cleanly'),
      );
    });
  });

  // One timer for all sockets.
  let round = 0;
  const timer = setInterval(() => {
    round += 1;
    for (const socket of server.clients) {
      const line = lines.get(socket);
      if (line && stalledFor(line.tcp) >= stallMs) {
        // The socket before its iterators, which end with it: one that ended first would tell its client `complete`.
        if (socket.readyState !== socket.OPEN) continue;
        log.debug({ stallMs }, 'A WebSocket whose client reads nothing is closed');
        void closeSocket(socket, CLOSE.tooSlow);
        continue;
      }
      const connection = connections.get(socket);
      if (!connection) continue;
      closeIfExpired(socket, connection);
      if (round % PING_ROUNDS === 0) ping(socket, connection);
    }
  }, ROUND_MS);

  budget.count(function* () {
    for (const socket of server.clients) {
      const line = lines.get(socket);
      if (line && socket.readyState === socket.OPEN)
        yield {
          unsentBytes: line.outbox.unsentBytes,
          stalledMs: stalledFor(line.tcp),
          cutOff: () => void closeSocket(socket, CLOSE.tooSlow),
        } satisfies Holder;
    }
  });

  return {
    /** Takes over an HTTP connection that asks to become a WebSocket. */
    upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
      if (!hasAllowedOrigin(config.allowedOrigins, request)) refuseUpgrade(socket, '403 Forbidden');
      else
        server.handleUpgrade(request, socket, head, (webSocket) =>
          server.emit('connection', webSocket, request),
        );
    },

    /**
     * Closes every socket so that its client comes back elsewhere, spread over a time in ms, and only then lets the
     * operations end: one that ended before its socket would tell the client that it is complete. What a socket has
     * asked before is answered first, for a while.
     */
    async close(overMs: number): Promise<void> {
      await closeEvenly(
        () =>
          [...server.clients].filter((socket) => socket.readyState === socket.OPEN && !leaving.has(socket)),
        overMs,
        async (socket) => {
          leaving.add(socket);
          // Nothing new is read, as long as the network can keep it.
          socket.pause();
          await operations.answered(socket);
          await closeSocket(socket, CLOSE.restart);
        },
      );
      // Those that were closing by themselves.
      await Promise.all([...server.clients].map((socket) => closeSocket(socket, CLOSE.restart)));
      clearInterval(timer);
      server.close();
    },

    get size() {
      return server.clients.size;
    },
  };
}

/** Closes with the code first: graphql-ws's own close after `false` comes too late to matter. */
function refuse(socket: WebSocket, { code, reason }: CloseReason): false {
  socket.close(code, reason);
  return false;
}

function closeIfExpired(socket: WebSocket, connection: Connection | undefined): void {
  const authentication = connection?.authentication;
  if (authentication?.kind === 'viewer' && authentication.expiresAt <= Date.now())
    socket.close(CLOSE.expiredToken.code, CLOSE.expiredToken.reason);
}

function ping(socket: WebSocket, connection: Connection): void {
  // A ping would wait behind these bytes, and while frames wait no answer is read. That they go on leaving is life enough.
  if (socket.bufferedAmount > 0) return;
  if (!connection.answersPings) {
    socket.terminate();
    return;
  }
  connection.answersPings = false;
  socket.ping();
}
