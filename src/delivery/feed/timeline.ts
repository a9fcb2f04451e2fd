import type { Message } from '../../domain/message/message.js';
import type { NamedHead } from '../../domain/message/store.js';
import type { Head, Position } from '../../domain/position.js';
import type { Step } from '../step.js';
import { createListeners } from './listeners.js';
import { createRing, sizeOf } from './ring.js';
import type { RingBudget } from './ring-budget.js';

/** Size of the events, in bytes, after which readers are notified: they take them before the ring evicts them. */
const NOTIFY_BYTES = 256 * 1024;
/** Maximum age of events in the ring, in ms. Long enough for a client that reconnects. */
const MAX_RING_AGE_MS = 60_000;

/** A room's head, the latest steps that led to it, and those who follow them. */
export interface Timeline {
  readonly head: Head;
  /** The id of the message at the head; null if it is not known. */
  readonly newestId: string | null;
  /**
   * Returns the step after a position. `at-head`: there is none yet. `not-held`: the ring does not reach back to the
   * position, or does not contain it, so the reader has to read from the database.
   */
  next(position: Position): Step | 'at-head' | 'not-held';
  /** Appends steps, of which the first begins at the head. Readers are notified of large ones one after the other. */
  advance(steps: readonly Step[]): void;
  /** Moves to a head without the steps between. */
  jumpTo(head: Head): void;
  /**
   * Replaces the steps up to the end of this one, which reaches back further, and moves to its end if that is newer than the
   * head. What has followed it meanwhile is kept; if that is not possible, nothing is replaced.
   */
  extendBack(step: Step): void;
  /** Whether the timeline holds another message with the `seq` of this one: one of them is of another history. */
  contradicts(message: Message): boolean;
  /** Calls the listeners. */
  notify(): void;
  /** Resolves when there are more events, or the signal aborts. Never rejects. */
  changed(signal: AbortSignal): Promise<void>;
  watch(listener: () => void): () => void;
  evictOld(): void;
  /** Evicts all steps. */
  clear(): void;
}

export function createTimeline(start: NamedHead, budget: RingBudget): Timeline {
  let { head, newestId } = start;
  const ring = createRing(budget);
  const listeners = createListeners();
  /** Size of the events since the readers were notified. */
  let unseenBytes = 0;

  function notify(): void {
    unseenBytes = 0;
    listeners.notify();
  }

  function moveTo(step: Step): void {
    head = step.to;
    for (const { message } of step.events) if (message.seq === head.seq) newestId = message.id;
  }

  return {
    get head() {
      return head;
    },
    get newestId() {
      return newestId;
    },
    next(position) {
      const { seq, rev } = position;
      const isAtHead =
        rev === null ? seq >= head.seq : rev > head.rev || (rev === head.rev && seq === head.seq);
      if (isAtHead) return 'at-head';
      return ring.after(position) ?? 'not-held';
    },
    advance(steps) {
      for (const step of steps) {
        ring.push(step);
        moveTo(step);
        unseenBytes += sizeOf(step);
        if (unseenBytes > NOTIFY_BYTES) notify();
      }
    },
    jumpTo(to) {
      ring.clear();
      head = to;
      newestId = null;
    },
    extendBack(step) {
      const { to } = step;
      const later = to.rev >= head.rev ? [] : ring.stepsFrom(to.rev);
      if (!later) return;
      ring.clear();
      for (const each of [step, ...later]) ring.push(each);
      if (to.rev <= head.rev) return;
      moveTo(step);
      notify();
    },
    contradicts: ({ seq, id }) => ring.contradicts(seq, id),
    notify,
    changed: listeners.next,
    watch: listeners.add,
    evictOld: () => ring.evictBefore(performance.now() - MAX_RING_AGE_MS),
    clear: ring.clear,
  };
}
