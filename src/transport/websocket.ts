import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { type ExecutionArgs, type ExecutionResult, GraphQLError, type GraphQLFormattedError } from 'graphql';
import {
  type Context as ConnectionContext,
  handleProtocols,
  makeServer,
  type SubscribePayload,
} from 'graphql-ws';
import { type WebSocket, WebSocketServer } from 'ws';
import type { Tokens } from '../auth/tokens.js';
import type { Config } from '../config.js';
import type { Log } from '../domain/ports.js';
import type { Authentication } from '../domain/user.js';
import { type ErrorCode, toGraphQLError } from '../graphql/errors.js';
import { authenticateConnection } from './auth.js';
import { CLOSE } from './close-codes.js';
import { LIMITS } from './limits.js';
import { hasAllowedOrigin } from './origins.js';
import type { GraphQLPipeline } from './yoga.js';

/** How often sockets are looked after, in ms. */
const ROUND_MS = 1000;
/** A socket is pinged in every so many rounds, and given up where it has not answered by the next ping. */
const PING_ROUNDS = 12;

export interface WebSocketServices {
  readonly config: Config;
  readonly graphql: GraphQLPipeline;
  readonly tokens: Tokens;
  readonly log: Log;
}

// A type, not an interface: graphql-ws wants one with an index signature.
type Extra = {
  readonly socket: WebSocket;
  readonly request: IncomingMessage;
};

/** What we know of a socket; a weak map, so that nothing of a socket outlives it. */
interface Connection {
  authentication: Authentication;
  answersPings: boolean;
}

/** GraphQL over WebSocket by the `graphql-transport-ws` protocol: queries and mutations too. */
export function createWebSockets({ config, graphql, tokens, log }: WebSocketServices) {
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

  /** As Yoga does for HTTP; all mistakes are returned, since what is thrown would close the socket. */
  async function onSubscribe(
    { extra, subscriptions }: ConnectionContext<Params, Extra>,
    _id: string,
    params: SubscribePayload,
  ): Promise<ExecutionArgs | GraphQLError[]> {
    if (Object.keys(subscriptions).length > LIMITS.operationsPerSocket) return [tooManyOperations()];
    try {
      const authentication = connections.get(extra.socket)?.authentication ?? { kind: 'missing' };
      const { schema, parse, validate, contextFactory, execute, subscribe } = graphql.getEnveloped({
        req: extra.request,
        authentication,
        params,
      });
      const document = parse(params.query);
      const errors = validate(schema, document);
      if (errors.length > 0) return [...errors];
      return {
        schema,
        document,
        operationName: params.operationName,
        variableValues: params.variables,
        contextValue: await contextFactory(),
        // graphql-ws takes one `execute` for all; the enveloped ones are made for each operation.
        rootValue: { execute, subscribe },
      };
    } catch (error) {
      return [toGraphQLError(error, log)];
    }
  }

  const protocol = makeServer<Params, Extra>({
    onConnect,
    onSubscribe,
    execute: (args) => enveloped(args).execute(withoutRoot(args)),
    async subscribe(args) {
      const result = await enveloped(args).subscribe(withoutRoot(args));
      return isStream(result) ? result : failing(result);
    },
    onNext: (_context, _id, _params, _args, { data, errors }) =>
      errors && { ...(data === undefined ? {} : { data }), errors: errors.map(formatError) },
    // A failure of a stream arrives wrapped once more: the inner one has the place.
    onError: (_context, _id, _params, errors) =>
      errors.map((error) =>
        formatError(error.originalError instanceof GraphQLError ? error.originalError : error),
      ),
  });

  server.on('connection', (socket: WebSocket, request: IncomingMessage) => {
    // A broken frame, one over the limit, a torn connection: ws closes the socket with the right code by itself.
    socket.on('error', (error) => log.debug({ error: error.message }, 'A WebSocket failed'));
    socket.on('pong', () => {
      const connection = connections.get(socket);
      if (connection) connection.answersPings = true;
    });
    const closed = protocol.opened(
      {
        protocol: socket.protocol,
        // Resolves when the frame has left: graphql-ws waits for it, and so does the subscription behind it.
        // Past the token's expiry nothing is sent, not even that it has expired: an operation that ended with an error
        // would not be resumed, as it is after this close.
        send: (frame) =>
          new Promise((resolve) => {
            closeIfExpired(socket, connections.get(socket));
            if (socket.readyState === socket.OPEN) socket.send(frame, () => resolve());
            else resolve();
          }),
        close: (code, reason) => socket.close(code, reason),
        onMessage: (listener) =>
          socket.on('message', (data) => {
            listener(String(data)).catch((error) => {
              log.error({ error }, 'A WebSocket message could not be handled');
              socket.close(CLOSE.fault.code, CLOSE.fault.reason);
            });
          }),
      },
      { socket, request },
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
      const connection = connections.get(socket);
      if (!connection) continue;
      closeIfExpired(socket, connection);
      if (round % PING_ROUNDS === 0) ping(socket, connection);
    }
  }, ROUND_MS);

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
     * Closes every socket so that its client comes back elsewhere, and only then lets the operations end: one that
     * ended before its socket would tell the client that it is complete.
     */
    async close(): Promise<void> {
      clearInterval(timer);
      await Promise.all([...server.clients].map(closeSocket));
      server.close();
    },

    get size() {
      return server.clients.size;
    },
  };
}

type Params = Record<string, unknown>;

interface Enveloped {
  execute(args: ExecutionArgs): Promise<ExecutionResult>;
  subscribe(args: ExecutionArgs): Promise<AsyncIterable<ExecutionResult> | ExecutionResult>;
}

/** What `onSubscribe` put there. */
function enveloped(args: ExecutionArgs): Enveloped {
  return args.rootValue as Enveloped;
}

function withoutRoot({ rootValue: _, ...args }: ExecutionArgs): ExecutionArgs {
  return args;
}

function isStream(
  result: AsyncIterable<ExecutionResult> | ExecutionResult,
): result is AsyncIterable<ExecutionResult> {
  return Symbol.asyncIterator in result;
}

/** A subscription that could not start ends with the protocol's `error`, like one that could not go on. */
// biome-ignore lint/correctness/useYield: a stream whose first step fails.
async function* failing({ errors }: ExecutionResult): AsyncGenerator<ExecutionResult> {
  throw errors?.[0] ?? new GraphQLError('The subscription could not start.');
}

/** An error as clients see it. The status that it has over HTTP means nothing here. */
function formatError(error: GraphQLError): GraphQLFormattedError {
  const { extensions, ...rest } = error.toJSON();
  const { http: _, ...kept } = extensions ?? {};
  return { ...rest, extensions: kept };
}

function tooManyOperations(): GraphQLError {
  const message = `At most ${LIMITS.operationsPerSocket} operations may be under way on one socket.`;
  return new GraphQLError(message, { extensions: { code: 'LIMIT_EXCEEDED' satisfies ErrorCode } });
}

/** Closes with the code first: graphql-ws's own close after `false` comes too late to matter. */
function refuse(socket: WebSocket, { code, reason }: { code: number; reason: string }): false {
  socket.close(code, reason);
  return false;
}

function refuseUpgrade(socket: Duplex, status: string): void {
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
}

function closeIfExpired(socket: WebSocket, connection: Connection | undefined): void {
  const authentication = connection?.authentication;
  if (authentication?.kind === 'viewer' && authentication.expiresAt <= Date.now())
    socket.close(CLOSE.expiredToken.code, CLOSE.expiredToken.reason);
}

function ping(socket: WebSocket, connection: Connection): void {
  if (!connection.answersPings) {
    socket.terminate();
    return;
  }
  connection.answersPings = false;
  socket.ping();
}

/** How long a client may take to answer a close, in ms. */
const CLOSE_WAIT_MS = 1000;

function closeSocket(socket: WebSocket): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => socket.terminate(), CLOSE_WAIT_MS);
    socket.once('close', () => {
      clearTimeout(timer);
      resolve();
    });
    socket.close(CLOSE.restart.code, CLOSE.restart.reason);
  });
}
