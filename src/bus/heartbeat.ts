import type { Redis } from 'ioredis';

/**
 * Tears a connection down that went silent, as one does whose packets a network swallows: TCP alone notices that after
 * a quarter of an hour, and on a connection that only listens, never. The client then connects anew.
 *
 * Asks with a PING every `everyMs` milliseconds, and takes whatever arrives for an answer; so silence is noticed after
 * twice that at most, in the handshake too.
 *
 * Not ioredis' own `socketTimeout`: up to the 5.11.1 that is installed, its timer outlives the connection, and destroys
 * the next one (https://github.com/redis/ioredis/issues/2147).
 */
export function watchConnection(client: Redis, everyMs: number, onSilence: () => void): void {
  let timer: NodeJS.Timeout | undefined;

  client.on('connect', () => {
    const { stream } = client;
    let heard = true;
    stream.on('data', () => {
      heard = true;
    });
    clearInterval(timer);
    const ownTimer = setInterval(() => {
      // After a pause of this process the timers come first, and what has arrived meanwhile is read only then.
      setImmediate(() => {
        if (stream.destroyed) return;
        if (heard) {
          heard = false;
          // During the handshake, its own commands ask.
          if (client.status === 'ready') client.ping().catch(() => {});
          return;
        }
        clearInterval(ownTimer);
        onSilence();
        // Not `disconnect(true)`, which sends a FIN first and waits two seconds for the answer.
        stream.destroy(new Error(`Nothing came from Redis for ${everyMs} ms, not even the answer to a ping`));
      });
    }, everyMs);
    timer = ownTimer;
  });
  client.on('close', () => clearInterval(timer));
}
