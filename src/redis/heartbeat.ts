import type { Redis } from 'ioredis';

/**
 * Destroys a connection on which nothing arrives any more, for example because a network drops its packets, so that the
 * client reconnects. TCP alone notices that after about 15 minutes, and after hours on a connection that only receives.
 *
 * Sends a PING every `intervalMs` milliseconds and accepts any data as a sign of life. A silent connection is therefore
 * noticed within two intervals, and during the handshake within one.
 *
 * ioredis' own `socketTimeout` is not used: up to version 5.11.1 its timer outlives the connection and destroys the next
 * one (https://github.com/redis/ioredis/issues/2147).
 *
 * @param onTimeout called just before a silent connection is destroyed.
 */
export function watchConnection(client: Redis, intervalMs: number, onTimeout: () => void): void {
  let timer: NodeJS.Timeout | undefined;

  client.on('connect', () => {
    const { stream } = client;
    // No PING is needed for the first interval: the commands of the handshake are already on their way.
    let received = false;
    stream.on('data', () => {
      received = true;
    });

    const check = (): void => {
      if (stream.destroyed) return;
      if (!received) {
        onTimeout();
        // `disconnect(true)` would send a FIN first and wait two seconds for the answer.
        stream.destroy(new Error(`No data from Redis for ${intervalMs} ms, not even the reply to a PING`));
        return;
      }
      received = false;
      if (client.status === 'ready') client.ping().catch(() => {});
      schedule();
    };
    // After a pause of this process, timers run before the data that arrived during it is read: setImmediate lets that
    // be read first. An interval could fire again at once and leave Redis no time to reply.
    const schedule = (): void => {
      clearTimeout(timer);
      timer = setTimeout(() => setImmediate(check), intervalMs);
    };
    schedule();
  });
  client.on('close', () => clearTimeout(timer));
}
