import { createDeliveryCounters, type DeliveryCounters } from '../../domain/counters.js';
import type { RoomChanged } from '../../domain/events.js';
import type { Message } from '../../domain/message/message.js';
import type { NamedHead, RoomMessages } from '../../domain/message/store.js';
import type { Log } from '../../domain/ports.js';
import type { Head, Position } from '../../domain/position.js';
import { type Step, stepsOf } from '../step.js';
import { createRecall } from './recall.js';
import type { ReadMissing } from './repairs.js';
import { MAX_RING_EVENTS } from './ring.js';
import { createRingBudget, type RingBudget } from './ring-budget.js';
import { createTimeline } from './timeline.js';

/** Maximum wait of an event for its predecessors before the feed is repaired from the database, in ms. */
const REORDER_TIMEOUT_MS = 50;
/** Events that are missing beyond this number are left to the readers: each reads what it needs from the database. */
const MAX_REPAIRED_EVENTS = 4096;
/** Rows that a repair reads at once. Only a block that is larger needs more. */
const REPAIR_LIMIT = 256;
/**
 * The head and the latest events of one room, for all of its readers on this instance.
 *
 * The feed takes changes from the bus, from this instance's own writes and from the tick, in any order and any number of
 * times; it holds a part of the room's history without a gap. Each reader keeps its own position and continues from there, so
 * a slow reader holds only its current step in memory.
 */
export interface Feed {
  readonly head: Head;
  /** The id of the message at the head; null if it is not known. */
  readonly newestId: string | null;
  /**
   * Returns the step after a position. `at-head`: there is none yet. `not-held`: the ring does not reach back to the
   * position, or does not contain it, so the reader has to read from the database.
   */
  next(position: Position): Step | 'at-head' | 'not-held';
  /**
   * Fills the ring with earlier events, if it does not reach back to a position that is not far behind: one read for all
   * readers who come back after an outage. Never rejects.
   *
   * @returns whether the ring holds the position now.
   */
  recall(position: Position): Promise<boolean>;
  /** Resolves when there are more events, the feed has ended, or the signal aborts; at once if it has ended. Never rejects. */
  changed(signal: AbortSignal): Promise<void>;
  /** The listener is called when there are more events, and when the feed ends. @returns a function that removes it. */
  watch(listener: () => void): () => void;
  /** Adds a change from the bus or from a write of this instance. */
  apply(change: RoomChanged): void;
  /** Reports a head that was read from the database. The feed fetches missing events up to it. */
  observeHead(head: Head, from?: 'tick'): void;
  /** Evicts events above the maximum age. Has to be called regularly. */
  evictOld(): void;
  /** Ends the feed with an error that all readers receive. */
  fail(error: Error): void;
  /** Why the feed has ended; null while it is open. */
  readonly failure: Error | null;
  close(): void;
}

export interface FeedServices {
  readonly readMissing: ReadMissing;
  readonly log: Log;
  readonly ringBudget?: RingBudget;
  readonly counters?: DeliveryCounters;
  /** Called with the number of events that the tick has found, and the bus has not delivered since. */
  readonly onMissed?: (events: number) => void;
  /** Called if a message claims the place of one that this feed has delivered: one of them is of another history. */
  readonly onContradiction: (message: Message) => void;
}

export function createFeed(
  roomId: string,
  start: NamedHead,
  {
    readMissing,
    log,
    ringBudget = createRingBudget(),
    onContradiction,
    counters = createDeliveryCounters(),
    onMissed,
  }: FeedServices,
): Feed {
  const timeline = createTimeline(start, ringBudget);
  /** Messages ahead of the head, by `rev`, until their predecessors arrive. */
  const outOfOrder = new Map<number, Message>();
  /** The highest `rev` that the room is known to have. */
  let target = start.head.rev;
  /** The highest `rev` that the tick has found. */
  let overdue = 0;
  let timer: NodeJS.Timeout | undefined;
  let isRepairing = false;
  let repairLimit = REPAIR_LIMIT;
  let failure: Error | null = null;
  const recall = createRecall({
    roomId,
    timeline,
    readMissing,
    isEnded: () => failure !== null,
    counters,
    log,
  });

  /** Appends messages that have arrived, as far as nothing is missing before them. */
  function appendInOrder(): void {
    for (
      let next = outOfOrder.get(timeline.head.rev + 1);
      next;
      next = outOfOrder.get(timeline.head.rev + 1)
    ) {
      const steps = stepsOf(timeline.head, [next]);
      // The `seq` may show that added messages before it are missing.
      if (steps.length === 0) break;
      timeline.advance(steps);
    }
    for (const rev of outOfOrder.keys()) if (rev <= timeline.head.rev) outOfOrder.delete(rev);
  }

  /** Schedules a repair if events up to the target are missing. They may still arrive within the wait. */
  function scheduleRepair(waitMs = REORDER_TIMEOUT_MS): void {
    if (failure || timeline.head.rev >= target) {
      clearTimeout(timer);
      timer = undefined;
    } else if (!timer && !isRepairing) timer = setTimeout(repair, waitMs);
  }

  async function repair(): Promise<void> {
    timer = undefined;
    isRepairing = true;
    counters.repairs += 1;
    const targetBefore = target;
    let isWhole = true;
    try {
      const limit = repairLimit;
      const found = await readMissing({
        roomId,
        rev: timeline.head.rev,
        limit,
        expected: target - timeline.head.rev,
      });
      if (failure) return;
      isWhole = !found || found.head.rev <= timeline.head.rev || repairWith(found, limit);
      appendInOrder();
      // Events that the database does not know are not waited for, unless they were announced during the read.
      if (isWhole && target === targetBefore) target = timeline.head.rev;
    } catch (error) {
      log.warn({ roomId, error: String(error) }, 'Could not repair a feed: the next tick tries again');
      target = timeline.head.rev;
    } finally {
      isRepairing = false;
    }
    timeline.notify();
    scheduleRepair(isWhole ? REORDER_TIMEOUT_MS : 0);
  }

  /** @returns whether the feed has reached the head that was found; otherwise the rest has to be read. */
  function repairWith(found: RoomMessages, limit: number): boolean {
    target = Math.max(target, found.head.rev);
    const isFar = found.head.rev - timeline.head.rev > MAX_REPAIRED_EVENTS;
    // The head may have moved on during the read.
    const later = found.messages.filter(({ rev }) => rev > timeline.head.rev);
    const steps = isFar ? [] : stepsOf(timeline.head, later);
    const end = steps.at(-1)?.to ?? timeline.head;
    const isWhole = end.rev === found.head.rev && end.seq === found.head.seq;
    const isRead = found.messages.length < limit;
    if (isWhole || (!isRead && steps.length > 0)) {
      const missed = later.filter(({ rev }) => rev <= overdue).length;
      if (missed > 0) onMissed?.(missed);
      timeline.advance(steps);
      repairLimit = REPAIR_LIMIT;
      log.debug({ roomId, rev: timeline.head.rev }, 'Repaired a feed from the database');
      return isWhole;
    }
    if (!isRead && !isFar) {
      repairLimit *= 4;
      return false;
    }
    // Too much, or of another history: all readers read from the database up to here.
    timeline.jumpTo(found.head);
    return true;
  }

  function end(error: Error): void {
    failure ??= error;
    clearTimeout(timer);
    timeline.clear();
    timeline.notify();
  }

  return {
    get head() {
      return timeline.head;
    },
    get newestId() {
      return timeline.newestId;
    },
    get failure() {
      return failure;
    },
    next: timeline.next,
    async recall(position) {
      await recall(position);
      appendInOrder();
      scheduleRepair();
      return failure === null && timeline.next(position) !== 'not-held';
    },
    changed: (signal) => (failure ? Promise.resolve() : timeline.changed(signal)),
    watch: timeline.watch,
    apply(change) {
      const revBefore = timeline.head.rev;
      for (const message of change.messages) {
        if (message.rev <= timeline.head.rev) {
          if (timeline.contradicts(message)) onContradiction(message);
        } else if (outOfOrder.size < MAX_RING_EVENTS) outOfOrder.set(message.rev, message);
      }
      appendInOrder();
      target = Math.max(target, change.head.rev);
      if (timeline.head.rev > revBefore) timeline.notify();
      // Rows that were too large for the bus do not arrive later, so the repair starts at once.
      scheduleRepair(change.messages.length === 0 ? 0 : REORDER_TIMEOUT_MS);
    },
    observeHead(observed, from) {
      target = Math.max(target, observed.rev);
      if (from === 'tick') overdue = Math.max(overdue, observed.rev);
      scheduleRepair();
    },
    evictOld: timeline.evictOld,
    fail: end,
    close: () => end(new Error('The feed is closed.')),
  };
}
