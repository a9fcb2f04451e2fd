import type { ApolloCache } from '@apollo/client';
import { createThrottle } from '../throttle.js';

export interface Batch<Event> {
  add(event: Event): void;
  /** Delivers what waits. */
  flush(): void;
  /** Drops what waits. */
  drop(): void;
}

/**
 * Delivers the events of a burst, such as what was missed during an outage, in one transaction of the cache: each query
 * is read once for all of them. A single event is delivered at once.
 */
export function createBatch<Event>(cache: ApolloCache, deliver: (event: Event) => void): Batch<Event> {
  let waiting: Event[] = [];
  const throttle = createThrottle(() => {
    const events = waiting;
    waiting = [];
    if (events.length > 0) cache.batch({ update: () => events.forEach(deliver) });
  });
  return {
    add(event) {
      waiting.push(event);
      throttle.request();
    },
    flush: throttle.run,
    drop() {
      throttle.cancel();
      waiting = [];
    },
  };
}
