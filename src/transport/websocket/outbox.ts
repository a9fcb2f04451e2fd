import type { Writable } from 'node:stream';
import type { WebSocket } from 'ws';
import { flushSoon, flushThisTurn } from './flush.js';
import { frameHeader, toBytes } from './frames.js';

/** Unsent bytes of one socket at which further frames are queued, which blocks their operations. */
const HIGH_WATER_MARK_BYTES = 128 * 1024;
/** Unsent bytes at which the queue is sent again. */
const LOW_WATER_MARK_BYTES = HIGH_WATER_MARK_BYTES / 2;
/**
 * Bounds the queue, which holds one frame per operation. 100 subscriptions with messages of the maximum length stay below
 * it; 100 pages of history may not.
 */
const MAX_QUEUED_BYTES = 8 * 1024 * 1024;

export interface OutboxOwner {
  /** Called instead of sending frames once `expiresAt` is reached. Must close the socket. */
  onExpired(): void;
  /** Called when the queue would exceed its bound. Must close the socket. */
  onOverflow(): void;
}

interface QueuedFrame {
  readonly frame: string;
  readonly onSent: () => void;
}

/**
 * The outgoing frames of one socket, with backpressure. While frames are queued, the socket is paused, so that a client
 * that sends requests without reading the responses cannot fill the memory.
 *
 * A class, since each socket has one.
 */
export class Outbox {
  /** The time in ms since 1970 from which nothing may be sent to the client. */
  expiresAt = Number.POSITIVE_INFINITY;
  /** Frames of the next write. */
  private batch = '';
  /** Unsent bytes of the TCP socket after the last write; not updated while it drains. */
  private unsent = 0;
  private queue: QueuedFrame[] | null = null;
  private queuedBytes = 0;

  constructor(
    private readonly socket: WebSocket,
    /** The TCP socket of the WebSocket. Frames are written to it directly, so that a batch is one write. */
    private readonly tcp: Writable,
    private readonly owner: OutboxOwner,
  ) {}

  /** Bytes in the buffers of the socket, in the batch and in the queue. */
  get unsentBytes(): number {
    return this.socket.bufferedAmount + this.batch.length + this.queuedBytes;
  }

  /**
   * Sends a text as one frame. Resolves when the next text may be sent: immediately, unless the client is slow. Also
   * resolves, without sending, when the socket has closed.
   */
  send(text: string): Promise<void> {
    const { socket } = this;
    if (socket.readyState === socket.CLOSED) return Promise.resolve();
    // The text is dropped, but its operation waits: otherwise it would keep reading the database until the socket closes.
    if (socket.readyState === socket.CLOSING) return this.enqueue('');
    const frame = frameOf(text);
    if (this.write(frame, flushThisTurn)) return Promise.resolve();
    if (this.queuedBytes + frame.length > MAX_QUEUED_BYTES) {
      this.owner.onOverflow();
      return this.enqueue('');
    }
    socket.pause();
    return this.enqueue(frame);
  }

  /**
   * Adds a frame, encoded as in `frames.ts`, to the batch of this turn of the event loop, which is sent at its end or up to
   * 20 ms later (see `flushSoon`). Returns false without adding it if the client is slow. If the socket is closing, the
   * frame is accepted and dropped.
   *
   * Called for thousands of sockets in a row, so it touches no other object.
   */
  write(frame: string, flushLater: (outbox: Outbox) => void = flushSoon): boolean {
    if (this.queue || (this.batch.length + this.unsent >= HIGH_WATER_MARK_BYTES && !this.makesRoom()))
      return false;
    if (this.batch === '' || flushLater !== flushSoon) flushLater(this);
    this.batch += frame;
    return true;
  }

  /** Sends the batch now, before anything that is sent to the socket later. `now` is in ms since 1970. */
  flush(now = Date.now()): void {
    const { socket, tcp, batch } = this;
    if (batch === '') return;
    this.batch = '';
    if (this.expiresAt <= now) this.owner.onExpired();
    if (socket.readyState !== socket.OPEN) return;
    // Not by `ws`, which would wrap it in another frame.
    this.unsent = tcp.write(batch, 'latin1') ? 0 : tcp.writableLength;
  }

  /** Must be called when the socket has closed. Drops all frames, and resolves the pending `send` calls. */
  onClose(): void {
    this.batch = '';
    for (const { onSent } of this.queue ?? []) onSent();
    this.queue = null;
  }

  /** Flushes, since a large batch alone does not make a client slow. Returns whether more frames can be written. */
  private makesRoom(): boolean {
    this.flush();
    this.unsent = this.socket.bufferedAmount;
    return this.unsent < HIGH_WATER_MARK_BYTES;
  }

  private enqueue(frame: string): Promise<void> {
    this.queuedBytes += frame.length;
    return new Promise((onSent) => {
      if (!this.queue) {
        this.queue = [];
        this.resumeOnDrain();
      }
      this.queue.push({ frame, onSent });
    });
  }

  private resumeOnDrain(): void {
    this.tcp.once('drain', () => this.sendQueued());
  }

  /** Sends queued frames until the client is behind again; then waits for the next drain. */
  private sendQueued(): void {
    const { socket, queue } = this;
    if (!queue) return;
    // The socket is closing: the client's close frame must be read.
    if (socket.readyState !== socket.OPEN) {
      socket.resume();
      return;
    }
    for (let next = queue.shift(); next; next = queue.shift()) {
      this.queuedBytes -= next.frame.length;
      this.batch += next.frame;
      this.flush();
      next.onSent();
      if (this.unsent > LOW_WATER_MARK_BYTES) {
        this.resumeOnDrain();
        return;
      }
    }
    this.queue = null;
    socket.resume();
  }
}

function frameOf(text: string): string {
  const bytes = toBytes(text);
  return frameHeader(bytes.length) + bytes;
}
