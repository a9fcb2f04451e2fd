import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';

/** Pipelined requests that may wait on a connection. Browsers and proxies never pipeline. */
export const MAX_PIPELINED_REQUESTS = 16;

export interface Turns {
  /** Runs the request's handler when it is the connection's turn; never if the connection closes before. */
  take(request: IncomingMessage, response: ServerResponse, handle: () => void): void;
  /** The response that is pending on a connection; undefined if there is none. */
  pending(connection: Duplex): ServerResponse | undefined;
}

interface Turn {
  readonly response: ServerResponse;
  readonly handle: () => void;
}

/**
 * Handles the requests of a connection one after the other. Node starts pipelined requests all at once, and keeps their
 * responses in memory until the first one is read.
 *
 * @param onExcess called for a connection with more waiting requests than are allowed, which is then destroyed.
 */
export function createTurns(onExcess: () => void): Turns {
  /** The pending turn of each connection, then those that wait. Weak, so that they go with their connection. */
  const turns = new WeakMap<Duplex, Turn[]>();

  function run(connection: Duplex, queue: Turn[]): void {
    const [turn] = queue;
    // Node connects a response when the one before it has been sent. If that one was the last, as its headers said, or if
    // the connection has closed, nothing can be sent any more.
    if (!turn?.response.socket) {
      turns.delete(connection);
      return;
    }
    turn.response.once('close', () => {
      queue.shift();
      run(connection, queue);
    });
    turn.handle();
  }

  return {
    pending: (connection) => turns.get(connection)?.[0]?.response,
    take({ socket }, response, handle) {
      const queue = turns.get(socket);
      if (!queue) {
        const own = [{ response, handle }];
        turns.set(socket, own);
        run(socket, own);
      } else if (queue.length <= MAX_PIPELINED_REQUESTS) queue.push({ response, handle });
      else if (!socket.destroyed) {
        onExcess();
        socket.destroy();
      }
    },
  };
}
