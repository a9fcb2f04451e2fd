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

export interface Outbox {
  /**
   * Sends a frame in its turn. Resolves when the next one may come, which is at once unless the client is slow; also
   * where the socket has closed, and the frame with it.
   */
  send(frame: string): Promise<void>;
  /**
   * Takes a frame as `frames.ts` makes it, and sends it with all others of this turn of the event loop. False, and the
   * frame is not taken, where the client is slow or the socket closes.
   */
  write(frame: string): boolean;
  /** Sends what `write` took, at once: what comes next on the socket comes after it. */
  flush(): void;
  /** Of frames on their way and of those that wait. */
  readonly unsentBytes: number;
}

export interface OutboxEvents {
  /** Called before each frame; may close the socket, and then nothing is sent. */
  beforeSend(): void;
  /** Called where more frames wait than may; closes the socket. */
  onTooMuch(): void;
}

/**
 * The frames of one socket on their way out. While some wait nothing is read from the client either, or one that asks
 * and never reads would fill our memory with answers.
 */
export function createOutbox(
  socket: WebSocket,
  tcp: Writable,
  { beforeSend, onTooMuch }: OutboxEvents,
): Outbox {
  /** Frames of this turn. */
  let written = '';
  const waiting: { readonly frame: string; readonly bytes: number; readonly sent: () => void }[] = [];
  let waitingBytes = 0;

  function flush(): void {
    if (written === '') return;
    const bytes = written;
    written = '';
    beforeSend();
    // By the socket below: `ws` would make a frame of it.
    if (socket.readyState === socket.OPEN) tcp.write(bytes, 'latin1');
  }

  function post(frame: string): void {
    flush();
    beforeSend();
    if (socket.readyState === socket.OPEN) socket.send(frame, onDrain);
  }

  function onDrain(): void {
    if (waiting.length === 0) return;
    // The client's answer to our close must be read.
    if (socket.readyState === socket.CLOSING) {
      socket.resume();
      return;
    }
    while (socket.readyState === socket.CLOSED || socket.bufferedAmount <= FEW_UNSENT_BYTES) {
      const next = waiting.shift();
      if (!next) {
        socket.resume();
        return;
      }
      waitingBytes -= next.bytes;
      post(next.frame);
      next.sent();
    }
  }

  function wait(frame: string, bytes: number): Promise<void> {
    waitingBytes += bytes;
    return new Promise((sent) => {
      waiting.push({ frame, bytes, sent });
    });
  }

  // What waits then is never sent, but whoever waits goes on.
  socket.once('close', onDrain);

  return {
    send(frame) {
      const isFree = waiting.length === 0 && socket.bufferedAmount < MOST_UNSENT_BYTES;
      if (socket.readyState === socket.CLOSED) return Promise.resolve();
      // Never to be sent; but an operation that went on would read the database for nobody until the socket is closed.
      if (socket.readyState === socket.CLOSING) return wait('', 0);
      if (isFree) {
        post(frame);
        return Promise.resolve();
      }
      const bytes = Buffer.byteLength(frame);
      if (waitingBytes + bytes > MOST_WAITING_BYTES) {
        onTooMuch();
        return wait('', 0);
      }
      socket.pause();
      return wait(frame, bytes);
    },
    write(frame) {
      if (socket.readyState !== socket.OPEN || waiting.length > 0) return false;
      if (socket.bufferedAmount + written.length >= MOST_UNSENT_BYTES) return false;
      if (written === '') flushSoon(flush);
      written += frame;
      return true;
    },
    flush,
    get unsentBytes() {
      return socket.bufferedAmount + written.length + waitingBytes;
    },
  };
}
