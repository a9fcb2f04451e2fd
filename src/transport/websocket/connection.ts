import type { Duplex } from 'node:stream';
import type { WebSocket as GraphQLWebSocket, Server } from 'graphql-ws';
import { WebSocket } from 'ws';
import type { Log } from '../../domain/ports.js';
import type { Authentication } from '../../domain/user.js';
import type { Client } from '../../graphql/pipeline.js';
import { CLOSE, type CloseReason } from './close-codes.js';
import { OperationOrder, type OperationOwner } from './operation-order.js';
import { Outbox, type OutboxOwner } from './outbox.js';

/** How long a client may take to answer a close, in ms. */
const CLOSE_TIMEOUT_MS = 1000;

const NOBODY: Authentication = { kind: 'missing' };

/** A WebSocket that knows whose it is, so that all of them share their listeners. */
export class ClientSocket extends WebSocket {
  connection: Connection | null = null;
}

export interface ConnectionParts {
  readonly socket: ClientSocket;
  readonly tcp: Duplex;
  /** Where the client is, for rate limits. */
  readonly address: string;
  readonly log: Log;
  /** Where it is among the others until it is closed. */
  readonly connections: Set<Connection>;
}

/**
 * A client's socket: all that is kept of it, in one object and without closures of its own, since most of many thousands
 * are idle. For graphql-ws it is the socket, and the `extra` of its context.
 */
export class Connection implements GraphQLWebSocket, Client, OperationOwner, OutboxOwner {
  readonly socket: ClientSocket;
  readonly tcp: Duplex;
  readonly address: string;
  readonly outbox: Outbox;
  readonly order: OperationOrder;
  readonly openedAt = performance.now();
  private known: Authentication = NOBODY;
  /** Whether its client has begun to say who it is. */
  isKnown = false;
  /** Whether its client has answered the last ping. */
  answersPings = true;
  /** Whether it is about to be closed by a stop. */
  isLeaving = false;
  /** Queries and mutations that are to be answered. */
  answers: Set<Promise<unknown>> | null = null;
  private readonly log: Log;
  private readonly connections: Set<Connection>;
  private listener: ((message: unknown) => Promise<void>) | null = null;
  private closed: ((code: number, reason: string) => Promise<void>) | null = null;

  constructor({ socket, tcp, address, log, connections }: ConnectionParts) {
    this.socket = socket;
    this.tcp = tcp;
    this.address = address;
    this.log = log;
    this.connections = connections.add(this);
    this.outbox = new Outbox(socket, tcp, this);
    this.order = new OperationOrder(this);
    socket.connection = this;
    // A broken frame, one over the limit, a torn connection: ws closes the socket with the right code by itself.
    socket.on('error', onError).on('pong', onPong).on('message', onMessage).on('close', onClose);
  }

  get isOpen(): boolean {
    return this.socket.readyState === WebSocket.OPEN;
  }

  get authentication(): Authentication {
    return this.known;
  }

  set authentication(authentication) {
    this.known = authentication;
    if (authentication.kind === 'viewer') this.outbox.expiresAt = authentication.expiresAt;
  }

  get protocol(): string {
    return this.socket.protocol;
  }

  /** Has the protocol spoken on it. */
  serve(protocol: Server<Connection>): void {
    this.closed = protocol.opened(this, this);
  }

  onMessage(listener: (text: string) => Promise<void>): void {
    // It takes parsed messages too, which its type does not say; and keeps what it was given, so that a text would stay.
    this.listener = listener as (message: unknown) => Promise<void>;
  }

  /** graphql-ws waits for it, and so does the subscription behind it: a slow client is behind, and costs no memory. */
  send(frame: string): Promise<void> {
    return this.outbox.send(frame);
  }

  /** What was written is sent before. */
  close(code?: number, reason?: string): void {
    this.outbox.flush();
    this.socket.close(code, reason);
  }

  /** Resolves when the socket is closed: by an answer of the client's, or without one. What was written is sent before. */
  end({ code, reason }: CloseReason): Promise<void> {
    const { socket } = this;
    // It may have closed while its operations were awaited: no event would follow, and a stop would wait for ever.
    if (socket.readyState === socket.CLOSED) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(() => socket.terminate(), CLOSE_TIMEOUT_MS);
      socket.once('close', () => {
        clearTimeout(timer);
        resolve();
      });
      this.close(code, reason);
      // The answer must be read, also where the client's requests had to wait.
      socket.resume();
    });
  }

  receive(text: string): void {
    this.order.accept(text);
  }

  handle(message: unknown): Promise<void> {
    // What comes after our close is not begun: its answer could not be sent. The client asks again elsewhere.
    if (!this.isOpen || this.isLeaving || !this.listener) return Promise.resolve();
    return this.listener(message).catch((error) => {
      this.log.error({ error }, 'A WebSocket message could not be handled');
      this.close(CLOSE.fault.code, CLOSE.fault.reason);
    });
  }

  onLongId(): void {
    this.close(CLOSE.longId.code, CLOSE.longId.reason);
  }

  onReuse(): void {
    this.close(CLOSE.idInUse.code, CLOSE.idInUse.reason);
  }

  /**
   * Past the token's expiry nothing is sent, not even that it has expired: an operation that ended with an error would
   * not be resumed, as it is after this close.
   */
  onExpired(): void {
    this.socket.close(CLOSE.expiredToken.code, CLOSE.expiredToken.reason);
  }

  onTooMuch(): void {
    this.log.debug({}, 'A WebSocket for which too much waits is closed');
    void this.end(CLOSE.tooSlow);
  }

  onClose(code: number, reason: string): void {
    this.connections.delete(this);
    this.outbox.onClose();
    this.closed?.(code, reason).catch((error) =>
      this.log.error({ error }, 'A WebSocket was not closed cleanly'),
    );
  }

  onError(error: Error): void {
    this.log.debug({ error: error.message }, 'A WebSocket failed');
  }

  closeIfExpired(): void {
    if (this.outbox.expiresAt <= Date.now()) this.onExpired();
  }

  /** Gives the socket up where it has not answered the ping before. */
  ping(): void {
    // A ping would wait behind these bytes, and while frames wait no answer is read. That they go on leaving is life enough.
    if (this.socket.bufferedAmount > 0) return;
    if (!this.answersPings) {
      this.socket.terminate();
      return;
    }
    this.answersPings = false;
    this.socket.ping();
  }
}

function onError(this: WebSocket, error: Error): void {
  connectionOf(this)?.onError(error);
}

function onPong(this: WebSocket): void {
  const connection = connectionOf(this);
  if (connection) connection.answersPings = true;
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
