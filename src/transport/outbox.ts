import type { Writable } from 'node:stream';
import type { WebSocket } from 'ws';
import { flushSoon } from './flush.js';

/** Unsent bytes of one socket from which on frames wait, with the operations behind them. */
const MOST_UNSENT_BYTES = 128 * 1024;
/** Unsent bytes at which waiting frames go on. */
const FEW_UNSENT_BYTES = MOST_UNSENT_BYTES / 2;
/**
 * Of frames that wait, one for each operation. A hundred subscriptions to rooms full of the longest messages stay below
 * it; answers as large as pages of history may not, and are asked for again later.
 */
const MOST_WAITING_BYTES = 8 * 1024 * 1024;

export interface OutboxOwner {
  /** Called in place of sending a frame once `expiresAt` is reached; closes the socket. */
  onExpired(): void;
  /** Called where more frames wait than may; closes the socket. */
  onTooMuch(): void;
}

interface Waiting {
  readonly frame: string;
  readonly bytes: number;
  readonly sent: () => void;
}

/**
 * The frames of one socket on their way out. While some wait nothing is read from the client either, or one that asks
 * and never reads would fill our memory with answers.
 *
 * A class, as there is one for every socket.
 */
export class Outbox {
  /** When the client may be told nothing more, in ms since 1970. */
  expiresAt = Number.POSITIVE_INFINITY;
  /** Frames of this turn. */
  private written = '';
  /** Unsent bytes as of the last frame: of a client that keeps up, none. Looked up again only where there are some. */
  private unsent = 0;
  private waiting: Waiting[] | null = null;
  private waitingBytes = 0;

  constructor(
    private readonly socket: WebSocket,
    private readonly tcp: Writable,
    private readonly owner: OutboxOwner,
  ) {}

  /** Of frames on their way and of those that wait. */
  get unsentBytes(): number {
    return this.socket.bufferedAmount + this.written.length + this.waitingBytes;
  }

  /**
   * Sends a frame in its turn. Resolves when the next one may come, which is at once unless the client is slow; also
   * where the socket has closed, and the frame with it.
   */
  send(frame: string): Promise<void> {
    const { socket } = this;
    if (socket.readyState === socket.CLOSED) return Promise.resolve();
    // Never to be sent; but an operation that went on would read the database for nobody until the socket is closed.
    if (socket.readyState === socket.CLOSING) return this.wait('', 0);
    if (!this.waiting && socket.bufferedAmount < MOST_UNSENT_BYTES) {
      this.post(frame);
      return Promise.resolve();
    }
    const bytes = Buffer.byteLength(frame);
    if (this.waitingBytes + bytes > MOST_WAITING_BYTES) {
      this.owner.onTooMuch();
      return this.wait('', 0);
    }
    socket.pause();
    return this.wait(frame, bytes);
  }

  /**
   * Takes a frame as `frames.ts` makes it, and sends it with all others of this turn of the event loop. False, and the
   * frame is not taken, where the client is slow. Where the socket closes it is taken, and nobody gets it.
   *
   * It is called for thousands of sockets in a row, so it touches nothing but this object.
   */
  write(frame: string): boolean {
    const { written } = this;
    if (this.waiting || (written.length + this.unsent >= MOST_UNSENT_BYTES && !this.hasRoom())) return false;
    if (written === '') flushSoon(this);
    this.written = written + frame;
    return true;
  }

  /** Sends what `write` took, at once: what comes next on the socket comes after it. `now` is in ms since 1970. */
  flush(now = Date.now()): void {
    const { socket, tcp, written } = this;
    if (written === '') return;
    this.written = '';
    if (this.expiresAt <= now) this.owner.onExpired();
    if (socket.readyState !== socket.OPEN) return;
    // By the socket below: `ws` would make a frame of it.
    this.unsent = tcp.write(written, 'latin1') ? 0 : tcp.writableLength;
  }

  /** To be called when the socket has closed: what waits then is never sent, but whoever waits goes on. */
  onDrain(): void {
    const { socket } = this;
    if (!this.waiting) return;
    // The client's answer to our close must be read.
    if (socket.readyState === socket.CLOSING) {
      socket.resume();
      return;
    }
    while (socket.readyState === socket.CLOSED || socket.bufferedAmount <= FEW_UNSENT_BYTES) {
      const next = this.waiting?.shift();
      if (!next) {
        this.waiting = null;
        socket.resume();
        return;
      }
      this.waitingBytes -= next.bytes;
      this.post(next.frame);
      next.sent();
    }
  }

  private hasRoom(): boolean {
    this.unsent = this.socket.bufferedAmount;
    return this.written.length + this.unsent < MOST_UNSENT_BYTES;
  }

  private post(frame: string): void {
    const now = Date.now();
    this.flush(now);
    if (this.expiresAt <= now) this.owner.onExpired();
    const { socket } = this;
    if (socket.readyState !== socket.OPEN) return;
    socket.send(frame, () => this.onDrain());
    this.unsent = socket.bufferedAmount;
  }

  private wait(frame: string, bytes: number): Promise<void> {
    this.waitingBytes += bytes;
    return new Promise((sent) => {
      this.waiting ??= [];
      this.waiting.push({ frame, bytes, sent });
    });
  }
}
