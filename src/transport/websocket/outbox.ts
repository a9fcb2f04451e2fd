import type { Writable } from 'node:stream';
import type { WebSocket } from 'ws';
import { flushSoon, flushThisTurn } from './flush.js';
import { frameHeader, toBytes } from './frames.js';

/** Unsent bytes of one socket from which on frames wait, with the operations behind them. */
const HIGH_WATER_MARK_BYTES = 128 * 1024;
/** Unsent bytes at which waiting frames go on. */
const LOW_WATER_MARK_BYTES = HIGH_WATER_MARK_BYTES / 2;
/**
 * Of frames that wait, one for each operation. A hundred subscriptions to rooms full of the longest messages stay below
 * it; answers as large as pages of history may not, and are asked for again later.
 */
const MAX_WAITING_BYTES = 8 * 1024 * 1024;

export interface OutboxOwner {
  /** Called in place of sending a frame once `expiresAt` is reached; closes the socket. */
  onExpired(): void;
  /** Called where more frames wait than may; closes the socket. */
  onTooMuch(): void;
}

interface Waiting {
  readonly frame: string;
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
    /** That below the WebSocket: frames are made by us, so that those of one turn are one write. */
    private readonly tcp: Writable,
    private readonly owner: OutboxOwner,
  ) {}

  /** Of frames on their way and of those that wait. */
  get unsentBytes(): number {
    return this.socket.bufferedAmount + this.written.length + this.waitingBytes;
  }

  /**
   * Sends a text in its turn, as a frame. Resolves when the next one may come, which is at once unless the client is slow;
   * also where the socket has closed, and the text with it.
   */
  send(text: string): Promise<void> {
    const { socket } = this;
    if (socket.readyState === socket.CLOSED) return Promise.resolve();
    // Never to be sent; but an operation that went on would read the database for nobody until the socket is closed.
    if (socket.readyState === socket.CLOSING) return this.wait('');
    const frame = frameOf(text);
    if (this.write(frame, flushThisTurn)) return Promise.resolve();
    if (this.waitingBytes + frame.length > MAX_WAITING_BYTES) {
      this.owner.onTooMuch();
      return this.wait('');
    }
    socket.pause();
    return this.wait(frame);
  }

  /**
   * Takes a frame as `frames.ts` makes it, and sends it with all others of this turn of the event loop, or a little later
   * (see `flushSoon`). False, and the frame is not taken, where the client is slow. Where the socket closes it is taken,
   * and nobody gets it.
   *
   * It is called for thousands of sockets in a row, so it touches nothing but this object.
   */
  write(frame: string, flushLater: (outbox: Outbox) => void = flushSoon): boolean {
    if (this.waiting || (this.written.length + this.unsent >= HIGH_WATER_MARK_BYTES && !this.makesRoom()))
      return false;
    if (this.written === '' || flushLater !== flushSoon) flushLater(this);
    this.written += frame;
    return true;
  }

  /** Sends what it took, at once: what comes next on the socket comes after it. `now` is in ms since 1970. */
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
  onClose(): void {
    this.written = '';
    for (const { sent } of this.waiting ?? []) sent();
    this.waiting = null;
  }

  /** Much in one turn does not make a client slow. */
  private makesRoom(): boolean {
    this.flush();
    this.unsent = this.socket.bufferedAmount;
    return this.unsent < HIGH_WATER_MARK_BYTES;
  }

  private wait(frame: string): Promise<void> {
    this.waitingBytes += frame.length;
    return new Promise((sent) => {
      if (!this.waiting) {
        this.waiting = [];
        this.onceDrained();
      }
      this.waiting.push({ frame, sent });
    });
  }

  private onceDrained(): void {
    this.tcp.once('drain', () => this.goOn());
  }

  /** What waits goes on, as far as there is room. */
  private goOn(): void {
    const { socket, waiting } = this;
    if (!waiting) return;
    // The client's answer to our close must be read.
    if (socket.readyState !== socket.OPEN) {
      socket.resume();
      return;
    }
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      this.waitingBytes -= next.frame.length;
      this.written += next.frame;
      this.flush();
      next.sent();
      if (this.unsent > LOW_WATER_MARK_BYTES) {
        this.onceDrained();
        return;
      }
    }
    this.waiting = null;
    socket.resume();
  }
}

function frameOf(text: string): string {
  const bytes = toBytes(text);
  return frameHeader(bytes.length) + bytes;
}
