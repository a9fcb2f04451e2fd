import type { Redis } from 'ioredis';

/**
 * Tears a connection down that went silent, as one does whose packets a network swallows: TCP alone notices that after
 * a quarter of an hour, and on a connection that only listens after hours. The client then connects anew.
 *
 * Asks with a PING every `everyMs` milliseconds, and takes whatever arrives for an answer; so silence is noticed after
 * twice that at most, and in the handshake after once.
 *
 * Not ioredis' own `socketTimeout`: up to the 5.11.1 that is installed, its timer outlives the connection, and destroys
 * the next one (https://github.com/redis/ioredis/issues/2147).
 */
export function watchConnection(client: Redis, everyMs: number, onSilence: () => void): void {
  let timer: NodeJS.Timeout | undefined;

  client.on('connect', () => {
    const { stream } = client;
    // Commands of the handshake are on their way already.
    let heard = false;
    stream.on('data', () => {
      heard = true;
    });

    const judge = (): void => {
      if (stream.destroyed) return;
      if (!heard) {
        onSilence();
        // Not `disconnect(true)`, which sends a FIN first and waits two seconds for the answer.
        stream.destroy(new Error(`Nothing came from Redis for ${everyMs} ms, not even the answer to a ping`));
        return;
      }
      heard = false;
      if (client.status === 'ready') client.ping().catch(() => {});
      wait();
    };
    // After a pause of this process the timers come first, and what has arrived meanwhile is read only then. For the
    // same reason no interval: its next tick could come at once, and leave Redis no time to answer.
    const wait = (): void => {
      clearTimeout(timer);
      timer = setTimeout(() => setImmediate(judge), everyMs);
    };
    wait();
  });
  client.on('close', () => clearTimeout(timer));
}
