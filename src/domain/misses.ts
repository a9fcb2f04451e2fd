import { throttleLog } from '../lib/throttle-log.js';
import type { Bus } from './bus.js';
import type { Log } from './ports.js';

/** One event may be late for many reasons. In so many comparisons within this time, in ms, something is wrong. */
const MIN_MISSES = 3;
const WINDOW_MS = 10_000;
/** Reports within this time, in ms, are of one comparison, which finds the events of all rooms together. */
const COMPARISON_MS = 500;
/** What a comparison finds within this time after an outage, in ms, is of the outage. */
const RECOVERY_MS = 2_000;
const LOG_INTERVAL_MS = 60_000;

/**
 * Watches whether a bus that is connected delivers. One that is connected to another Redis than the other instances, or to a
 * replica, gives no other sign: every event arrives by the comparison with the database, up to a second late.
 */
export function createMissWatch(bus: Bus, log: Log): { report(events: number): void } {
  const warn = throttleLog((fields, message) => log.warn(fields, message), LOG_INTERVAL_MS);
  let times: number[] = [];
  let recoveredAt = Number.NEGATIVE_INFINITY;
  bus.onRecovered(() => {
    recoveredAt = performance.now();
  });
  return {
    report(events) {
      const now = performance.now();
      if (!bus.isReady() || now - recoveredAt < RECOVERY_MS) return;
      bus.counters.missedEvents += events;
      if (now - (times.at(-1) ?? Number.NEGATIVE_INFINITY) < COMPARISON_MS) return;
      times = [...times.filter((time) => now - time < WINDOW_MS), now].slice(-MIN_MISSES);
      if (times.length < MIN_MISSES) return;
      warn(
        { missedEvents: bus.counters.missedEvents },
        'Events of other instances arrive by the comparison with the database only: do all instances use the same Redis, database number and REDIS_PREFIX?',
      );
    },
  };
}
