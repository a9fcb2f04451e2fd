import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { type Context as ConnectionContext, handleProtocols, makeServer } from 'graphql-ws';
import { WebSocketServer } from 'ws';
import type { Tokens } from '../../auth/tokens.js';
import type { Config } from '../../config.js';
import type { Log } from '../../domain/ports.js';
import { LIMITS } from '../../graphql/limits.js';
import type { Pipeline } from '../../graphql/pipeline.js';
import { authenticateConnection } from '../auth.js';
import type { ByteBudget, Holder } from '../budget.js';
import { closeEvenly } from '../drain.js';
import { clientAddress } from '../http/address.js';
import { hasAllowedOrigin } from '../http/origins.js';
import { refuseUpgrade } from '../http/refuse-upgrade.js';
import { createStallClock } from '../stalls.js';
import { CLOSE, type CloseReason } from './close-codes.js';
import { ClientSocket, Connection } from './connection.js';
import { createFanout } from './fanout.js';
import { createOperations, type Params } from './operations.js';

/** How often sockets are looked after, in ms. */
const CHECK_INTERVAL_MS = 1000;
/** A socket is pinged in every so many rounds, and given up where it has not answered by the next ping. */
const CHECKS_PER_PING = 12;

/** How long a client may take at least to say who it is, in ms; at most a round longer. */
const INIT_TIMEOUT_MS = 3000;

export interface WebSocketServices {
  readonly config: Config;
  readonly pipeline: Pipeline;
  readonly tokens: Tokens;
  readonly log: Log;
  /** How long a socket may take nothing of what waits for it, in ms. */
  readonly stallTimeoutMs: number;
  /** Counts what all sockets have not taken yet. */
  readonly budget: ByteBudget;
}

/** GraphQL over WebSocket by the `graphql-transport-ws` protocol: queries and mutations too. */
export function createWebSockets({
  config,
  pipeline,
  tokens,
  log,
  stallTimeoutMs,
  budget,
}: WebSocketServices) {
  const server = new WebSocketServer<typeof ClientSocket>({
    WebSocket: ClientSocket,
    noServer: true,
    // We keep them ourselves, each with what belongs to it.
    clientTracking: false,
    handleProtocols,
    maxPayload: LIMITS.requestBytes,
    // Frames are small: compression would cost memory for each socket and time for each frame.
    perMessageDeflate: false,
  });
  const connections = new Set<Connection>();

  async function onConnect(context: ConnectionContext<Params, Connection>): Promise<boolean> {
    const { extra: connection, connectionParams } = context;
    // The token is long, and nobody needs it any more.
    Object.assign(context, { connectionParams: undefined });
    connection.isKnown = true;
    const authentication = await authenticateConnection(tokens, connectionParams);
    connection.authentication = authentication;
    if (authentication.kind === 'invalid') return refuse(connection, CLOSE.invalidToken);
    if (authentication.kind === 'expired') return refuse(connection, CLOSE.expiredToken);
    return true;
  }

  const operations = createOperations({ pipeline, fanout: createFanout(pipeline) });
  const protocol = makeServer<Params, Connection>({
    onConnect,
    // A timer for each socket; here one looks after all.
    connectionInitWaitTimeout: 0,
    ...operations.hooks,
  });

  const stalledFor = createStallClock();

  function open(socket: ClientSocket, request: IncomingMessage): void {
    const address = clientAddress(request, config.trustedProxies);
    new Connection({ socket, tcp: request.socket, address, log, connections }).serve(protocol);
  }

  // One timer for all sockets.
  let round = 0;
  const timer = setInterval(() => {
    round += 1;
    for (const connection of connections) {
      if (stalledFor(connection.tcp) >= stallTimeoutMs) {
        // The socket before its iterators, which end with it: one that ended first would tell its client `complete`.
        if (!connection.isOpen) continue;
        log.debug({ stallTimeoutMs }, 'A WebSocket whose client reads nothing is closed');
        void connection.end(CLOSE.tooSlow);
      } else if (connection.isKnown) {
        connection.closeIfExpired();
        if (round % CHECKS_PER_PING === 0) connection.ping();
      } else if (performance.now() - connection.openedAt >= INIT_TIMEOUT_MS)
        connection.close(CLOSE.noInit.code, CLOSE.noInit.reason);
    }
  }, CHECK_INTERVAL_MS);

  budget.count(function* () {
    for (const connection of connections)
      if (connection.isOpen)
        yield {
          unsentBytes: connection.outbox.unsentBytes,
          stalledMs: stalledFor(connection.tcp),
          cutOff: () => void connection.end(CLOSE.tooSlow),
        } satisfies Holder;
  });

  return {
    /** Takes over an HTTP connection that asks to become a WebSocket. */
    upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
      if (!hasAllowedOrigin(config.allowedOrigins, request)) refuseUpgrade(socket, '403 Forbidden');
      else server.handleUpgrade(request, socket, head, open);
    },

    /**
     * Closes every socket so that its client comes back elsewhere, spread over a time in ms, and only then lets the
     * operations end: one that ended before its socket would tell the client that it is complete. What a socket has
     * asked before is answered first, for a while.
     */
    async close(overMs: number): Promise<void> {
      await closeEvenly(
        () => [...connections].filter(({ isOpen, isLeaving }) => isOpen && !isLeaving),
        overMs,
        async (connection) => {
          connection.isLeaving = true;
          // Nothing new is read, as long as the network can keep it.
          connection.socket.pause();
          await operations.answered(connection);
          await connection.end(CLOSE.restart);
        },
      );
      // Those that were closing by themselves.
      await Promise.all([...connections].map((connection) => connection.end(CLOSE.restart)));
      clearInterval(timer);
      server.close();
    },

    get size() {
      return connections.size;
    },
  };
}

/** Closes with the code first: graphql-ws's own close after `false` comes too late to matter. */
function refuse({ socket }: Connection, { code, reason }: CloseReason): false {
  socket.close(code, reason);
  return false;
}
