import type { Position } from '../domain/position.js';
import { restOf, type Step } from './step.js';

/** Latest events that a ring keeps for its readers; who is further behind reads the database. */
export const RING_EVENTS = 1024;
/** About how many bytes of messages it keeps at most. */
const RING_BYTES = 1024 * 1024;
/** What a message takes beside its text, with its author, roughly. */
const MESSAGE_BYTES = 800;

/** The latest steps of a room, each beginning where the one before it ended. */
export interface Ring {
  /** Steps must follow on each other; `clear` where one can't. */
  push(step: Step): void;
  clear(): void;
  /** Forgets what was pushed before a time of `performance.now()`. */
  forgetBefore(time: number): void;
  /** The step that a reader at this position takes next; null where the ring does not hold it. */
  after(position: Position): Step | null;
  /** Whether a message of this `seq` was added under another id than this: then it is of another history. */
  contradicts(seq: number, id: string): boolean;
}

interface Entry {
  readonly step: Step;
  readonly pushedAt: number;
}

export function createRing(): Ring {
  /** Before `start` there are holes, which are cut off now and then, not one by one. */
  let entries: (Entry | null)[] = [];
  let start = 0;
  let events = 0;
  let bytes = 0;

  function count({ events: counted }: Step, sign: 1 | -1): void {
    events += sign * counted.length;
    for (const { message } of counted) bytes += sign * (MESSAGE_BYTES + 2 * message.text.length);
  }

  function forgetWhile(test: (oldest: Entry) => boolean): void {
    for (let oldest = entries[start]; oldest && test(oldest); oldest = entries[start]) {
      count(oldest.step, -1);
      entries[start] = null;
      start += 1;
    }
    if (start > RING_EVENTS) {
      entries = entries.slice(start);
      start = 0;
    }
  }

  /** The first step that satisfies the test, which all later ones do too. */
  function first(test: (step: Step) => boolean): Step | undefined {
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
      forgetWhile(() => events > RING_EVENTS || bytes > RING_BYTES);
    },
    clear() {
      entries = [];
      start = events = bytes = 0;
    },
    forgetBefore: (time) => forgetWhile(({ pushedAt }) => pushedAt < time),
    after(position) {
      const { seq, rev } = position;
      if (rev === null) {
        const step = first(({ to }) => to.seq > seq);
        return step && step.from.seq <= seq ? step : null;
      }
      const step = first(({ to }) => to.rev > rev);
      if (!step || step.from.rev > rev || step.from.seq > seq) return null;
      return step.from.rev === rev && step.from.seq === seq ? step : restOf(step, { seq, rev });
    },
    contradicts(seq, id) {
      const step = first(({ to }) => to.seq >= seq);
      const event = step?.events.find(({ kind, message }) => kind === 'added' && message.seq === seq);
      return event !== undefined && event.message.id !== id;
    },
  };
}
