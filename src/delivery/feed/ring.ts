import type { Position } from '../../domain/position.js';
import { remainderOf, type Step } from '../step.js';

/** Maximum number of events in a ring. Readers that are further behind read from the database. */
export const MAX_RING_EVENTS = 1024;
/** Approximate maximum size of the messages in a ring, in bytes. */
const MAX_RING_BYTES = 1024 * 1024;
/** Approximate size of a message with its author, without its text, in bytes. */
const MESSAGE_OVERHEAD_BYTES = 800;

/** The latest steps of a room. Each begins where the one before it ended. */
export interface Ring {
  /** The step has to begin at the end of the last one, or the ring has to be cleared before. */
  push(step: Step): void;
  clear(): void;
  /** Evicts all steps that were pushed before the given time of `performance.now()`. */
  evictBefore(time: number): void;
  /** Returns the next step for a reader at this position; null if the ring does not hold it. */
  after(position: Position): Step | null;
  /** Whether the ring holds a message that was added with this `seq` and another id, which is thus of another history. */
  contradicts(seq: number, id: string): boolean;
}

interface Entry {
  readonly step: Step;
  readonly pushedAt: number;
}

export function createRing(): Ring {
  /** Entries before `start` have been evicted and are null. They are removed from the array in bulk. */
  let entries: (Entry | null)[] = [];
  let start = 0;
  let events = 0;
  let bytes = 0;

  function count({ events: counted }: Step, sign: 1 | -1): void {
    events += sign * counted.length;
    for (const { message } of counted) bytes += sign * (MESSAGE_OVERHEAD_BYTES + 2 * message.text.length);
  }

  function evictWhile(test: (oldest: Entry) => boolean): void {
    for (let oldest = entries[start]; oldest && test(oldest); oldest = entries[start]) {
      count(oldest.step, -1);
      entries[start] = null;
      start += 1;
    }
    if (start > MAX_RING_EVENTS) {
      entries = entries.slice(start);
      start = 0;
    }
  }

  /** Binary search for the first step that satisfies the test. All later steps have to satisfy it too. */
  function findFirst(test: (step: Step) => boolean): Step | undefined {
    let low = start;
    let high = entries.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const entry = entries[middle];
      if (entry && test(entry.step)) high = middle;
      else low = middle + 1;
    }
    return entries[low]?.step;
  }

  return {
    push(step) {
      entries.push({ step, pushedAt: performance.now() });
      count(step, 1);
      evictWhile(() => events > MAX_RING_EVENTS || bytes > MAX_RING_BYTES);
    },
    clear() {
      entries = [];
      start = events = bytes = 0;
    },
    evictBefore: (time) => evictWhile(({ pushedAt }) => pushedAt < time),
    after(position) {
      const { seq, rev } = position;
      if (rev === null) {
        const step = findFirst(({ to }) => to.seq > seq);
        return step && step.from.seq <= seq ? step : null;
      }
      const step = findFirst(({ to }) => to.rev > rev);
      if (!step || step.from.rev > rev || step.from.seq > seq) return null;
      return step.from.rev === rev && step.from.seq === seq ? step : remainderOf(step, { seq, rev });
    },
    contradicts(seq, id) {
      const step = findFirst(({ to }) => to.seq >= seq);
      const event = step?.events.find(({ kind, message }) => kind === 'added' && message.seq === seq);
      return event !== undefined && event.message.id !== id;
    },
  };
}
