import type { ApolloCache } from '@apollo/client';

/** The least time between two deliveries, in ms. */
const MIN_INTERVAL_MS = 20;

export interface Batch<Event> {
  add(event: Event): void;
  /** Delivers what waits. */
  flush(): void;
  /** Drops what waits. */
  drop(): void;
}

/**
 * Delivers the events of a burst, such as what was missed during an outage, in one transaction of the cache: each query
 * is read once for all of them. A single event is delivered at once; the next ones wait 20 ms, or as long as the last
 * delivery took if that is longer, so that deliveries take no more than half of the time.
 */
export function createBatch<Event>(cache: ApolloCache, deliver: (event: Event) => void): Batch<Event> {
  let waiting: Event[] = [];
  let timer: ReturnType<typeof setTimeout> | undefined;
  let nextAt = 0;

  function flush(): void {
    clearTimeout(timer);
    timer = undefined;
    if (waiting.length === 0) return;
    const events = waiting;
    waiting = [];
    const startedAt = performance.now();
    cache.batch({ update: () => events.forEach(deliver) });
    const now = performance.now();
    nextAt = now + Math.max(MIN_INTERVAL_MS, now - startedAt);
  }

  return {
    add(event) {
      waiting.push(event);
      if (timer !== undefined) return;
      const delay = nextAt - performance.now();
      if (delay <= 0) flush();
      else timer = setTimeout(flush, delay);
    },
    flush,
    drop() {
      clearTimeout(timer);
      waiting = [];
    },
  };
}
