import { type Redis, ReplyError } from 'ioredis';
import type { BusCounters } from '../domain/bus.js';
import type { Log } from '../domain/ports.js';
import { rarely } from '../lib/rarely.js';

/**
 * Of how many publishes the answer may be outstanding; an envelope has at most 64 KiB, so these are at most 64 MiB.
 * A connection that swallows packets reaches it, and it takes some seconds until that is noticed.
 */
export const MAX_OUTSTANDING_PUBLISHES = 1000;

/** Publishes without waiting, throwing or keeping: what can't go out at once is found by the tick of the others. */
export function createPublisher(client: Redis, counters: BusCounters, log: Log) {
  const warnRarely = rarely((fields, message) => log.warn(fields, message));
  let outstanding = 0;
  let refused = false;

  function failed(topic: string, error: Error): void {
    counters.unpublished += 1;
    // That the connection is gone has been said by the client.
    if (!(error instanceof ReplyError) || refused) return;
    refused = warnRarely({ topic, error: error.message }, 'Redis refuses what is published');
  }

  return {
    publish(topic: string, message: string): void {
      if (outstanding >= MAX_OUTSTANDING_PUBLISHES) {
        counters.unpublished += 1;
        warnRarely({ topic, outstanding }, 'Redis is too slow for what is published');
        return;
      }
      outstanding += 1;
      client
        .publish(topic, message)
        .then(
          () => {
            if (refused) log.info({ topic }, 'Redis takes again what is published');
            refused = false;
          },
          (error: Error) => failed(topic, error),
        )
        .finally(() => {
          outstanding -= 1;
        });
    },
  };
}
