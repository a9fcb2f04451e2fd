import { createDeliveryCounters, type DeliveryCounters } from '../../domain/counters.js';
import type { MessageEvent, RoomChanged } from '../../domain/events.js';
import type { Message } from '../../domain/message/message.js';
import type { MessageStore } from '../../domain/message/store.js';
import type { Log } from '../../domain/ports.js';
import type { Head, Position } from '../../domain/position.js';
import { createListeners } from './listeners.js';
import { createRing, MAX_RING_EVENTS } from './ring.js';
import { blockEvents, type Step } from '../step.js';

/** Maximum wait of an event for its predecessors before the feed is repaired from the database, in ms. */
const REORDER_TIMEOUT_MS = 50;
/** Maximum age of events in the ring, in ms. Long enough for a client that reconnects. */
const MAX_RING_AGE_MS = 60_000;

/**
 * The head and the latest events of one room, for all of its readers on this instance.
 *
 * The feed takes changes from the bus, from this instance's own writes and from the tick, in any order and any number of
 * times; it holds a part of the room's history without a gap. Each reader keeps its own position and continues from there, so
 * a slow reader holds only its current step in memory.
 */
export interface Feed {
  readonly head: Head;
  /**
   * Returns the step after a position. `at-head`: there is none yet. `not-held`: the ring does not reach back to the
   * position, or does not contain it, so the reader has to read from the database.
   */
  next(position: Position): Step | 'at-head' | 'not-held';
  /** Resolves when there are more events, the feed has ended, or the signal aborts. Never rejects. */
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
  readonly messages: Pick<MessageStore, 'readSince'>;
  readonly log: Log;
  readonly counters?: DeliveryCounters;
  /** Called with the number of events that the tick has found, and the bus has not delivered since. */
  readonly onMissed?: (events: number) => void;
  /** Called if a message claims the place of one that this feed has delivered: one of them is of another history. */
  readonly onContradiction: (message: Message) => void;
}

export function createFeed(
  roomId: string,
  start: Head,
  { messages, log, onContradiction, counters = createDeliveryCounters(), onMissed }: FeedServices,
): Feed {
  let head = start;
  const ring = createRing();
  /** Messages ahead of the head, by `rev`, until their predecessors arrive. */
  const outOfOrder = new Map<number, Message>();
  /** The highest `rev` that the room is known to have. */
  let target = start.rev;
  /** The highest `rev` that the tick has found. */
  let overdue = 0;
  let timer: NodeJS.Timeout | undefined;
  let isRepairing = false;
  let failure: Error | null = null;
  const { add: watch, next: changed, notify } = createListeners();

  function advance(to: Head, events: readonly MessageEvent[]): void {
    ring.push({ from: head, to, events });
    head = to;
  }

  /** Appends the next message in `rev` order. Returns false if its `seq` shows that added messages before it are missing. */
  function append(message: Message): boolean {
    if (message.seq > head.seq + 1) return false;
    const kind = message.seq > head.seq ? 'added' : 'changed';
    const position = { seq: Math.max(head.seq, message.seq), rev: message.rev };
    advance(position, [{ kind, message, position }]);
    return true;
  }

  function appendInOrder(): void {
    for (let next = outOfOrder.get(head.rev + 1); next && append(next); next = outOfOrder.get(head.rev + 1));
    for (const rev of outOfOrder.keys()) if (rev <= head.rev) outOfOrder.delete(rev);
  }

  /** Schedules a repair if events up to the target are missing. They may still arrive within the wait. */
  function scheduleRepair(waitMs = REORDER_TIMEOUT_MS): void {
    if (failure || head.rev >= target) {
      clearTimeout(timer);
      timer = undefined;
    } else if (!timer && !isRepairing) timer = setTimeout(repair, waitMs);
  }

  async function repair(): Promise<void> {
    timer = undefined;
    isRepairing = true;
    counters.repairs += 1;
    const targetBefore = target;
    try {
      const found = await messages.readSince(roomId, head.rev, MAX_RING_EVENTS + 1);
      if (failure) return;
      if (found && found.head.rev > head.rev) {
        if (found.messages.length > MAX_RING_EVENTS) {
          // More than the ring may hold: all readers read from the database up to here.
          ring.clear();
          head = found.head;
        } else {
          // The head may have moved on during the read.
          const later = found.messages.filter(({ rev }) => rev > head.rev);
          const missed = later.filter(({ rev }) => rev <= overdue).length;
          if (missed > 0) onMissed?.(missed);
          advance(found.head, blockEvents(head, found.head, later));
        }
        log.debug({ roomId, rev: head.rev }, 'Repaired a feed from the database');
      }
      appendInOrder();
      // Events that the database does not know are not waited for, unless they were announced during the read.
      if (target === targetBefore) target = head.rev;
    } catch (error) {
      log.warn({ roomId, error: String(error) }, 'Could not repair a feed: the next tick tries again');
      target = head.rev;
    } finally {
      isRepairing = false;
    }
    notify();
    scheduleRepair();
  }

  return {
    get head() {
      return head;
    },
    get failure() {
      return failure;
    },
    next(position) {
      const { seq, rev } = position;
      const isAtHead =
        rev === null ? seq >= head.seq : rev > head.rev || (rev === head.rev && seq === head.seq);
      if (isAtHead) return 'at-head';
      return ring.after(position) ?? 'not-held';
    },
    changed,
    watch,
    apply(change) {
      const revBefore = head.rev;
      for (const message of change.messages) {
        if (message.rev <= head.rev) {
          if (ring.contradicts(message.seq, message.id)) onContradiction(message);
        } else if (outOfOrder.size < MAX_RING_EVENTS) outOfOrder.set(message.rev, message);
      }
      appendInOrder();
      target = Math.max(target, change.head.rev);
      if (head.rev > revBefore) notify();
      // Rows that were too large for the bus do not arrive later, so the repair starts at once.
      scheduleRepair(change.messages.length === 0 ? 0 : REORDER_TIMEOUT_MS);
    },
    observeHead(observed, from) {
      target = Math.max(target, observed.rev);
      if (from === 'tick') overdue = Math.max(overdue, observed.rev);
      scheduleRepair();
    },
    evictOld: () => ring.evictBefore(performance.now() - MAX_RING_AGE_MS),
    fail(error) {
      failure = error;
      clearTimeout(timer);
      notify();
    },
    close() {
      clearTimeout(timer);
      failure ??= new Error('The feed is closed.');
      notify();
    },
  };
}
