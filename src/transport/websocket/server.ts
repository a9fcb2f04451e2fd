import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { type Context as ConnectionContext, handleProtocols, makeServer } from 'graphql-ws';
import { WebSocketServer } from 'ws';
import type { Tokens } from '../../auth/tokens.js';
import type { Log } from '../../domain/ports.js';
import { REQUEST_LIMITS } from '../../graphql/limits/request.js';
import type { Pipeline } from '../../graphql/pipeline.js';
import { authenticateConnection, authenticateHeader, authorizationOf } from '../auth.js';
import type { BudgetedConnection } from '../budget.js';
import { closeEvenly } from '../drain.js';
import { refuseConnection } from '../http/refusals.js';
import { givenRequestId } from '../request-id.js';
import type { Shares } from '../shares.js';
import { createStallClock } from '../stalls.js';
import { CLOSE, type CloseReason } from './close-codes.js';
import { ClientSocket, Connection } from './connection.js';
import { createFanout } from './fanout.js';
import { createOperations, type Params } from './operations.js';

/*
 * The `graphql-transport-ws` protocol, as implemented by graphql-ws. Each message is one text frame of JSON.
 *
 *   client: connection_init   with the access token; must arrive within 3 s
 *   server: connection_ack
 *   client: subscribe         an operation of any type, with an id of the client's choice
 *   server: next              a result; one for a query or a mutation, any number for a subscription
 *   server: error, complete   the operation has failed or ended; its id is free again
 *   client: complete          cancels the operation
 *   both:   ping, pong        answered at any time; the server itself checks clients with WebSocket pings
 *
 * https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md; `close-codes.ts` lists the codes that end a connection.
 */

/** How often all sockets are checked, in ms. */
const CHECK_INTERVAL_MS = 1000;
/** Each socket is pinged once in this many checks, and terminated if it has not answered by the next ping. */
const CHECKS_PER_PING = 12;

/** How long a client has at least to send `connection_init`, in ms. The check may come up to one interval later. */
const INIT_TIMEOUT_MS = 3000;

export interface WebSocketServices {
  readonly pipeline: Pipeline;
  readonly tokens: Tokens;
  /** Whether the account of a user has ended. */
  readonly isEnded: (userId: string) => boolean;
  readonly log: Log;
  /** How long a client may read nothing while data waits for it, in ms. */
  readonly stallTimeoutMs: number;
  readonly shares: Shares;
}

/** Serves queries, mutations and subscriptions over WebSocket. */
export function createWebSockets({
  pipeline,
  tokens,
  isEnded,
  log,
  stallTimeoutMs,
  shares: { budget, addresses, connections: counts },
}: WebSocketServices) {
  const server = new WebSocketServer<typeof ClientSocket>({
    WebSocket: ClientSocket,
    noServer: true,
    // `connections` below tracks them.
    clientTracking: false,
    handleProtocols,
    maxPayload: REQUEST_LIMITS.requestBytes,
    // Frames are small: compression would cost memory per socket and time per frame.
    perMessageDeflate: false,
  });
  server.on('wsClientError', ({ message }, socket) =>
    refuseConnection(
      socket,
      {
        status: 400,
        code: 'BAD_USER_INPUT',
        message: `Not a WebSocket handshake (${message}): connect by a WebSocket client with the subprotocol graphql-transport-ws, or send the request without an Upgrade header.`,
      },
      { 'sec-websocket-version': '13' },
    ),
  );
  const connections = new Set<Connection>();

  async function onConnect(context: ConnectionContext<Params, Connection>): Promise<boolean> {
    const { extra: connection, connectionParams } = context;
    // Frees the token, which is not needed any more.
    Object.assign(context, { connectionParams: undefined });
    connection.isInitialized = true;
    const header = connection.takeAuthorization();
    let authentication = await authenticateConnection(tokens, connectionParams);
    if (authentication.kind === 'malformed') return reject(connection, CLOSE.malformedCredentials);
    // The header of the upgrade may be for a proxy (HTTP Basic, say). If it has no token, the connection stays open, as over
    // HTTP: fields that need a viewer fail with a message that says what is expected.
    if (authentication.kind === 'missing') authentication = await authenticateHeader(tokens, header);
    connection.authentication = authentication;
    if (authentication.kind === 'invalid') return reject(connection, CLOSE.invalidToken);
    if (authentication.kind === 'expired') return reject(connection, CLOSE.expiredToken);
    if (authentication.kind === 'viewer' && counts.signIn(connection, authentication.viewer.userId))
      return reject(connection, CLOSE.tooManyConnections);
    return true;
  }

  const fanout = createFanout(pipeline);
  const operations = createOperations({ pipeline, fanout }, log);
  const protocol = makeServer<Params, Connection>({
    onConnect,
    // Disables graphql-ws's timer per socket: the timer below checks all of them.
    connectionInitWaitTimeout: 0,
    ...operations.hooks,
  });

  const stalledFor = createStallClock();

  function open(socket: ClientSocket, request: IncomingMessage): void {
    const address = addresses.of(request);
    const authorization = authorizationOf(request);
    const tcp = request.socket;
    const requestId = givenRequestId(request);
    const connection = new Connection({
      socket,
      tcp,
      address,
      authorization,
      requestId,
      log,
      counts,
      connections,
    });
    counts.forget(tcp);
    connection.serve(protocol);
    if (!counts.open(connection, address)) void connection.end(CLOSE.tooManyAnonymous);
  }

  let checks = 0;
  const timer = setInterval(() => {
    checks += 1;
    for (const connection of connections) {
      if (stalledFor(connection.tcp) >= stallTimeoutMs) {
        // Closing the socket ends its operations. One that ended before would send `complete`, and not be resumed.
        if (!connection.isOpen) continue;
        log.debug({ stallTimeoutMs }, 'Closing a WebSocket whose client reads nothing');
        void connection.end(CLOSE.tooSlow);
      } else if (connection.isInitialized) {
        connection.closeIfExpired();
        const { authentication } = connection;
        if (authentication.kind === 'viewer' && isEnded(authentication.viewer.userId))
          connection.close(CLOSE.accountEnded.code, CLOSE.accountEnded.reason);
        if (checks % CHECKS_PER_PING === 0) connection.ping();
      } else if (performance.now() - connection.openedAt >= INIT_TIMEOUT_MS)
        connection.close(CLOSE.initTimeout.code, CLOSE.initTimeout.reason);
    }
  }, CHECK_INTERVAL_MS);

  budget.track(function* () {
    for (const connection of connections)
      if (connection.isOpen)
        yield {
          holder: connection.holder,
          unsentBytes: connection.outbox.unsentBytes,
          stalledMs: stalledFor(connection.tcp),
          disconnect: () => void connection.end(CLOSE.tooSlow),
        } satisfies BudgetedConnection;
  });

  return {
    /** Handles the upgrade request of an HTTP connection, whose origin is allowed. */
    upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
      server.handleUpgrade(request, socket, head, open);
    },

    /**
     * Closes all sockets with 1012, evenly spread over `overMs`, so that their clients reconnect and resume. Each socket is
     * closed after the results of its pending queries and mutations (which get 5 s), and before its subscriptions end,
     * which would send `complete`.
     */
    async close(overMs: number): Promise<void> {
      await closeEvenly(
        () => [...connections].filter(({ isOpen, isDraining }) => isOpen && !isDraining),
        overMs,
        async (connection) => {
          connection.isDraining = true;
          // Accept no new operations: unread messages stay in the network's buffers.
          connection.socket.pause();
          await operations.resultsSent(connection);
          await connection.end(CLOSE.restart);
        },
      );
      // Also wait for the sockets that were already closing.
      await Promise.all([...connections].map((connection) => connection.end(CLOSE.restart)));
      clearInterval(timer);
      server.close();
    },

    get size() {
      return connections.size;
    },

    /** Groups of subscriptions that are served together; see `fanout.ts`. */
    groups: fanout.size,
  };
}

/** Rejects a connection with our own code, before graphql-ws closes it because of the `false`. */
function reject({ socket }: Connection, { code, reason }: CloseReason): false {
  socket.close(code, reason);
  return false;
}
