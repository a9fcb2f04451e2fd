import { throttleLog } from '../lib/throttle-log.js';
import type { Bus } from './bus.js';
import type { Log } from './ports.js';

/** One event may be late for many reasons. So many times within this time, in ms, something is wrong. */
const MIN_MISSES = 3;
const WINDOW_MS = 10_000;
const LOG_INTERVAL_MS = 60_000;

/**
 * Watches whether a bus that is connected delivers. One that is connected to another Redis than the other instances, or to a
 * replica, gives no other sign: every event arrives by the comparison with the database, up to a second late.
 */
export function createMissWatch(bus: Bus, log: Log): { report(events: number): void } {
  const warn = throttleLog((fields, message) => log.warn(fields, message), LOG_INTERVAL_MS);
  let times: number[] = [];
  return {
    report(events) {
      // During an outage, that is expected.
      if (!bus.isReady()) return;
      bus.counters.missedEvents += events;
      const now = performance.now();
      times = [...times.filter((time) => now - time < WINDOW_MS), now].slice(-MIN_MISSES);
      if (times.length < MIN_MISSES) return;
      warn(
        { missedEvents: bus.counters.missedEvents },
        'Events of other instances arrive by the comparison with the database only: do all instances use the same Redis, database number and REDIS_PREFIX?',
      );
    },
  };
}
