import type { WebSocket } from 'ws';

/** Unsent bytes of one socket from which on frames wait, with the operations behind them. */
const MOST_UNSENT_BYTES = 128 * 1024;
/** Unsent bytes at which waiting frames go on. */
const FEW_UNSENT_BYTES = MOST_UNSENT_BYTES / 2;

export interface Outbox {
  /**
   * Sends a frame in its turn. Resolves when the next one may come, which is at once unless the client is slow; also
   * where the socket has closed, and the frame with it.
   */
  send(frame: string): Promise<void>;
}

/**
 * The frames of one socket on their way out. While some wait nothing is read from the client either, or one that asks
 * and never reads would fill our memory with answers.
 *
 * @param beforeSend called before each frame; may close the socket, and then nothing is sent.
 */
export function createOutbox(socket: WebSocket, beforeSend: () => void): Outbox {
  const waiting: { readonly frame: string; readonly sent: () => void }[] = [];

  function post(frame: string): void {
    beforeSend();
    if (socket.readyState === socket.OPEN) socket.send(frame, onDrain);
  }

  function onDrain(): void {
    if (waiting.length === 0) return;
    while (socket.readyState !== socket.OPEN || socket.bufferedAmount <= FEW_UNSENT_BYTES) {
      const next = waiting.shift();
      if (!next) {
        socket.resume();
        return;
      }
      post(next.frame);
      next.sent();
    }
  }

  // What waits then is never sent, but whoever waits goes on.
  socket.once('close', onDrain);

  return {
    send(frame) {
      const isFree = waiting.length === 0 && socket.bufferedAmount < MOST_UNSENT_BYTES;
      if (isFree || socket.readyState !== socket.OPEN) {
        post(frame);
        return Promise.resolve();
      }
      socket.pause();
      return new Promise((sent) => {
        waiting.push({ frame, sent });
      });
    },
  };
}
