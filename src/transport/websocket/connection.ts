import { randomUUID } from 'node:crypto';
import type { Duplex } from 'node:stream';
import type { WebSocket as GraphQLWebSocket, Server } from 'graphql-ws';
import { WebSocket } from 'ws';
import type { Log } from '../../domain/ports.js';
import type { Authentication } from '../../domain/user.js';
import type { Client } from '../../graphql/limits/admission.js';
import type { Holder } from '../../lib/share.js';
import type { AuthorizationHeader } from '../auth.js';
import type { Connections, CountedConnection } from '../connections.js';
import { CLOSE, type CloseReason } from './close-codes.js';
import { type OperationHandler, OperationOrder } from './operation-order.js';
import { Outbox, type OutboxOwner } from './outbox.js';

/** How long a client may take to acknowledge a close frame, in ms. */
const CLOSE_TIMEOUT_MS = 1000;

const ANONYMOUS: Authentication = { kind: 'missing' };

/** A WebSocket with a reference to its connection, so that all sockets share the same listeners. */
export class ClientSocket extends WebSocket {
  connection: Connection | null = null;
}

export interface ConnectionParts {
  readonly socket: ClientSocket;
  readonly tcp: Duplex;
  /** The client's IP address, for rate limits. */
  readonly address: string;
  /** The `Authorization` header of the upgrade request. */
  readonly authorization?: AuthorizationHeader;
  /** The id that a proxy has given to the upgrade request; null if there is none. */
  readonly requestId?: string | null;
  readonly log: Log;
  /** Counts the connection by its holder. */
  readonly counts: Connections;
  /** The open connections: this one is a member until it is closed. */
  readonly connections: Set<Connection>;
}

/**
 * The state of one client's WebSocket. One object without closures of its own, because an instance holds many thousands,
 * most of them idle. It serves graphql-ws as its socket and as the `extra` of its context.
 */
export class Connection
  implements GraphQLWebSocket, Client, OperationHandler, OutboxOwner, CountedConnection
{
  readonly socket: ClientSocket;
  readonly tcp: Duplex;
  readonly address: string;
  readonly outbox: Outbox;
  readonly order: OperationOrder;
  readonly openedAt = performance.now();
  holder: Holder | null = null;
  private currentAuthentication: Authentication = ANONYMOUS;
  /** Until `connection_init` has arrived: the upgrade request's header. */
  private authorization: AuthorizationHeader;
  /** Whether `connection_init` has arrived. */
  isInitialized = false;
  /** Whether the client has answered the last ping. */
  isAlive = true;
  /** Whether the server is stopping and is about to close the connection. */
  isDraining = false;
  /** Queries and mutations in progress; null before the first one. */
  pendingResults: Set<Promise<unknown>> | null = null;
  private readonly log: Log;
  private readonly counts: Connections;
  private readonly connections: Set<Connection>;
  /** Set by graphql-ws: handles a message. */
  private listener: ((message: unknown) => Promise<void>) | null = null;
  /** Set by graphql-ws: ends all operations of the connection. */
  private closed: ((code: number, reason: string) => Promise<void>) | null = null;

  private givenRequestId: string | null;

  constructor({ socket, tcp, address, authorization, log, counts, connections, ...rest }: ConnectionParts) {
    this.givenRequestId = rest.requestId ?? null;
    this.socket = socket;
    this.tcp = tcp;
    this.address = address;
    this.authorization = authorization;
    this.log = log;
    this.counts = counts;
    this.connections = connections.add(this);
    this.outbox = new Outbox(socket, tcp, this);
    this.order = new OperationOrder(this);
    socket.connection = this;
    // After an invalid or oversized frame or a lost connection, ws closes the socket with the right code by itself.
    socket.on('error', onError).on('pong', onPong).on('message', onMessage).on('close', onClose);
  }

  get isOpen(): boolean {
    return this.socket.readyState === WebSocket.OPEN;
  }

  get authentication(): Authentication {
    return this.currentAuthentication;
  }

  set authentication(authentication) {
    this.currentAuthentication = authentication;
    if (authentication.kind === 'viewer') this.outbox.expiresAt = authentication.expiresAt;
  }

  /** Returns the upgrade request's `Authorization` header, once: it is not kept after the authentication. */
  takeAuthorization(): AuthorizationHeader {
    const { authorization } = this;
    this.authorization = undefined;
    return authorization;
  }

  get protocol(): string {
    return this.socket.protocol;
  }

  /** Attaches the connection to graphql-ws. */
  serve(protocol: Server<Connection>): void {
    this.closed = protocol.opened(this, this);
  }

  onMessage(listener: (text: string) => Promise<void>): void {
    // graphql-ws also accepts parsed messages, although its type does not say so. It retains each subscribe message, so a
    // text would stay in memory with its parsed form.
    this.listener = listener as (message: unknown) => Promise<void>;
  }

  /** graphql-ws awaits the promise before it reads the next result, so backpressure reaches the subscription. */
  send(frame: string): Promise<void> {
    return this.outbox.send(frame);
  }

  /** Sends all written frames, then the close frame. */
  close(code?: number, reason?: string): void {
    this.outbox.flush();
    this.socket.close(code, reason);
  }

  /** Like `close`; resolves when the socket is closed, by the client's close frame or, after 1 s, without it. */
  end({ code, reason }: CloseReason): Promise<void> {
    const { socket } = this;
    // It may have closed while its operations were awaited: no event would follow, and a stop would wait forever.
    if (socket.readyState === socket.CLOSED) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(() => socket.terminate(), CLOSE_TIMEOUT_MS);
      socket.once('close', () => {
        clearTimeout(timer);
        resolve();
      });
      this.close(code, reason);
      // The socket may be paused by backpressure, but the client's close frame must be read.
      socket.resume();
    });
  }

  receive(text: string): void {
    this.order.accept(text);
  }

  handle(message: unknown): Promise<void> {
    // No operation starts once we are closing, since its result could not be sent. The client repeats it elsewhere.
    if (!this.isOpen || this.isDraining || !this.listener) return Promise.resolve();
    return this.listener(message).catch((error) => {
      this.log.error({ error }, 'Failed to handle a WebSocket message');
      this.close(CLOSE.internalError.code, CLOSE.internalError.reason);
    });
  }

  onViolation({ code, reason }: CloseReason): void {
    this.close(code, reason);
  }

  /**
   * Closes without sending pending frames. Nothing is sent after the token's expiry, not even an error: an operation that
   * ended with an error would not be resumed, as it is after this close.
   */
  onExpired(): void {
    this.socket.close(CLOSE.expiredToken.code, CLOSE.expiredToken.reason);
  }

  onOverflow(): void {
    this.log.debug({}, 'Closing a WebSocket with too many unsent bytes');
    void this.end(CLOSE.tooSlow);
  }

  evict(): void {
    void this.end(CLOSE.tooManyAnonymous);
  }

  onClose(code: number, reason: string): void {
    this.connections.delete(this);
    this.counts.close(this);
    this.outbox.onClose();
    this.closed?.(code, reason).catch((error) =>
      this.log.error({ error }, 'Failed to end the operations of a closed WebSocket'),
    );
  }

  onError(error: Error): void {
    this.log.debug({ error: error.message }, 'WebSocket error');
  }

  /** Its id in the log. Made up at the first use, since most connections never need one. */
  get requestId(): string {
    this.givenRequestId ??= randomUUID();
    return this.givenRequestId;
  }

  closeIfExpired(): void {
    if (this.outbox.expiresAt <= Date.now()) this.onExpired();
  }

  /** Sends a ping, or terminates the socket if the client has not answered the previous one. */
  ping(): void {
    // With unsent bytes, a ping would be queued behind them, and a paused socket reads no pong. The stall check covers it.
    if (this.socket.bufferedAmount > 0) return;
    if (!this.isAlive) {
      this.socket.terminate();
      return;
    }
    this.isAlive = false;
    this.socket.ping();
  }
}

function onError(this: WebSocket, error: Error): void {
  connectionOf(this)?.onError(error);
}

function onPong(this: WebSocket): void {
  const connection = connectionOf(this);
  if (connection) connection.isAlive = true;
}

function onMessage(this: WebSocket, data: WebSocket.RawData): void {
  connectionOf(this)?.receive(String(data));
}

function onClose(this: WebSocket, code: number, reason: Buffer): void {
  connectionOf(this)?.onClose(code, String(reason));
}

function connectionOf(socket: WebSocket): Connection | null {
  return socket instanceof ClientSocket ? socket.connection : null;
}
