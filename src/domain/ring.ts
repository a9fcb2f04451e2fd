import type { Head, MessageEvent, Position } from './events.js';

/** Latest events that a ring keeps for its readers; who is further behind reads the database. */
export const RING_EVENTS = 1024;
/** About how many bytes of messages it keeps at most. */
const RING_BYTES = 1024 * 1024;
/** What a message takes beside its text, roughly. */
const MESSAGE_BYTES = 500;

/**
 * What brought a room from one head to the next: one event, or a block of them that a repair found together. Within
 * a block nobody can join: a change that was overtaken by a later one has no place of its own any more.
 */
export interface Step {
  readonly from: Head;
  readonly to: Head;
  readonly events: readonly MessageEvent[];
}

/** The latest steps of a room, each beginning where the one before it ended. */
export interface Ring {
  /** Steps must follow on each other; `clear` where one can't. */
  push(step: Step): void;
  clear(): void;
  /** The step that a reader at this position takes next; null where the ring does not hold it. */
  after(position: Position): Step | null;
  /** Whether a message of this `seq` was added under another id than this: then it is of another history. */
  contradicts(seq: number, id: string): boolean;
}

export function createRing(): Ring {
  let steps: Step[] = [];
  /** Steps before this one are forgotten; they are cut off now and then, not one by one. */
  let start = 0;
  let events = 0;
  let bytes = 0;

  function count(step: Step, sign: 1 | -1): void {
    events += sign * step.events.length;
    for (const { message } of step.events) bytes += sign * (MESSAGE_BYTES + 2 * message.text.length);
  }

  function clear(): void {
    steps = [];
    start = events = bytes = 0;
  }

  /** The first step that satisfies the test, which all later ones do too. */
  function first(test: (step: Step) => boolean): Step | undefined {
    let low = start;
    let high = steps.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const step = steps[middle];
      if (step && test(step)) high = middle;
      else low = middle + 1;
    }
    return steps[low];
  }

  return {
    push(step) {
      steps.push(step);
      count(step, 1);
      while (events > RING_EVENTS || bytes > RING_BYTES) {
        const oldest = steps[start];
        if (!oldest) break;
        count(oldest, -1);
        start += 1;
      }
      if (start > RING_EVENTS) {
        steps = steps.slice(start);
        start = 0;
      }
    },
    clear,
    after({ seq, rev }) {
      if (rev === null) {
        const step = first(({ to }) => to.seq > seq);
        return step && step.from.seq <= seq ? step : null;
      }
      const step = first(({ from }) => from.rev >= rev);
      return step && step.from.rev === rev && step.from.seq === seq ? step : null;
    },
    contradicts(seq, id) {
      const step = first(({ to }) => to.seq >= seq);
      const event = step?.events.find(({ kind, message }) => kind === 'added' && message.seq === seq);
      return event !== undefined && event.message.id !== id;
    },
  };
}
