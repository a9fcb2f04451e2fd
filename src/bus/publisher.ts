import { type Redis, ReplyError } from 'ioredis';
import type { BusCounters } from '../domain/bus.js';
import type { Log } from '../domain/ports.js';
import { throttleLog } from '../lib/throttle-log.js';

/**
 * Publishes without a reply yet; further ones are dropped. With at most 64 KiB per envelope they hold at most 64 MiB. The
 * limit is reached on a connection whose packets are lost, until the heartbeat notices that.
 */
export const MAX_OUTSTANDING_PUBLISHES = 1000;

/**
 * Creates a publisher that never waits, throws or queues. A message that cannot be sent at once is counted and dropped:
 * the other instances find the change in the database within a second.
 */
export function createPublisher(client: Redis, counters: BusCounters, log: Log) {
  const warnThrottled = throttleLog((fields, message) => log.warn(fields, message));
  let outstanding = 0;
  let refused = false;

  function handleFailure(topic: string, error: Error): void {
    counters.unpublished += 1;
    // A lost connection has been logged by the client.
    if (!(error instanceof ReplyError) || refused) return;
    refused = warnThrottled({ topic, error: error.message }, 'Redis rejects publishes');
  }

  return {
    publish(topic: string, message: string): void {
      if (outstanding >= MAX_OUTSTANDING_PUBLISHES) {
        counters.unpublished += 1;
        warnThrottled({ topic, outstanding }, 'Too many publishes wait for a reply from Redis: dropped one');
        return;
      }
      outstanding += 1;
      client
        .publish(topic, message)
        .then(
          () => {
            if (refused) log.info({ topic }, 'Redis accepts publishes again');
            refused = false;
          },
          (error: Error) => handleFailure(topic, error),
        )
        .finally(() => {
          outstanding -= 1;
        });
    },
  };
}
