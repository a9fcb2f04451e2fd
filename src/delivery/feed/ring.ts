import type { Position } from '../../domain/position.js';
import { remainderOf, type Step } from '../step.js';
import { type BudgetedRing, createRingBudget, type RingBudget } from './ring-budget.js';

/** Maximum number of events in a ring. Readers that are further behind read from the database. */
export const MAX_RING_EVENTS = 1024;
/** Approximate maximum size of the messages in a ring, in bytes. */
const MAX_RING_BYTES = 1024 * 1024;
/** Approximate size of a message with its author, without its text, in bytes. */
const MESSAGE_OVERHEAD_BYTES = 800;

/** The latest steps of a room. Each begins where the one before it ended. The newest is evicted by its age only. */
export interface Ring extends BudgetedRing {
  /** The step has to begin at the end of the last one, or the ring has to be cleared before. */
  push(step: Step): void;
  clear(): void;
  /** Evicts all steps that were pushed before the given time of `performance.now()`. */
  evictBefore(time: number): void;
  /** Returns the next step for a reader at this position; null if the ring does not hold it. */
  after(position: Position): Step | null;
  /** The steps that begin at a `rev` or later; null if the ring has no step that begins there, or ends there as its last. */
  stepsFrom(rev: number): readonly Step[] | null;
  /** Whether the ring holds a message that was added with this `seq` and another id, which is thus of another history. */
  contradicts(seq: number, id: string): boolean;
  readonly bytes: number;
}

interface Entry {
  readonly step: Step;
  readonly pushedAt: number;
}

/** Approximate size of a step in memory, in bytes. */
export function sizeOf({ events }: Step): number {
  let bytes = 0;
  for (const { message } of events) bytes += MESSAGE_OVERHEAD_BYTES + 2 * message.text.length;
  return bytes;
}

export function createRing(budget: RingBudget = createRingBudget()): Ring {
  /** Entries before `start` have been evicted and are null. They are removed from the array in bulk. */
  let entries: (Entry | null)[] = [];
  let start = 0;
  let events = 0;
  let bytes = 0;

  function count(step: Step, sign: 1 | -1): void {
    const size = sign * sizeOf(step);
    events += sign * step.events.length;
    bytes += size;
    budget.count(ring, size);
  }

  function evict({ step }: Entry): void {
    entries[start] = null;
    start += 1;
    if (start > MAX_RING_EVENTS) {
      entries = entries.slice(start);
      start = 0;
    }
    count(step, -1);
  }

  /** Binary search for the first step that satisfies the test. All later steps have to satisfy it too. */
  function findFirst(test: (step: Step) => boolean): number {
    let low = start;
    let high = entries.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const entry = entries[middle];
      if (entry && test(entry.step)) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  const ring: Ring = {
    push(step) {
      entries.push({ step, pushedAt: performance.now() });
      count(step, 1);
      while ((events > MAX_RING_EVENTS || bytes > MAX_RING_BYTES) && ring.evictOldest());
    },
    clear() {
      budget.count(ring, -bytes);
      budget.remove(ring);
      entries = [];
      start = events = bytes = 0;
    },
    evictOldest() {
      const oldest = entries[start];
      if (!oldest || start === entries.length - 1) return false;
      evict(oldest);
      return true;
    },
    evictBefore(time) {
      for (let oldest = entries[start]; oldest && oldest.pushedAt < time; oldest = entries[start])
        evict(oldest);
    },
    after(position) {
      const { seq, rev } = position;
      if (rev === null) {
        const step = entries[findFirst(({ to }) => to.seq > seq)]?.step;
        return step && step.from.seq <= seq ? step : null;
      }
      const step = entries[findFirst(({ to }) => to.rev > rev)]?.step;
      if (!step || step.from.rev > rev || step.from.seq > seq) return null;
      return step.from.rev === rev && step.from.seq === seq ? step : remainderOf(step, { seq, rev });
    },
    stepsFrom(rev) {
      const index = findFirst(({ from }) => from.rev >= rev);
      const steps = entries.slice(index).flatMap((entry) => (entry ? [entry.step] : []));
      const begins = steps[0]?.from.rev ?? entries.at(-1)?.step.to.rev;
      return begins === rev ? steps : null;
    },
    contradicts(seq, id) {
      const { step } = entries[findFirst(({ to }) => to.seq >= seq)] ?? {};
      const event = step?.events.find(({ kind, message }) => kind === 'added' && message.seq === seq);
      return event !== undefined && event.message.id !== id;
    },
    get bytes() {
      return bytes;
    },
  };
  return ring;
}
