import type { BusCounters } from '../domain/bus.js';

/** Creates the counters of a bus, all zero. */
export function createCounters(): BusCounters {
  return {
    droppedEnvelopes: 0,
    forgedEnvelopes: 0,
    refusedSubscribes: 0,
    unpublished: 0,
    timeouts: 0,
    reconnects: 0,
    foreignEvents: 0,
    missedEvents: 0,
  };
}
