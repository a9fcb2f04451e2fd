import type { MessageEvent, RoomChanged } from '../domain/events.js';
import type { Message } from '../domain/message.js';
import type { MessageStore } from '../domain/message-store.js';
import type { Log } from '../domain/ports.js';
import type { Head, Position } from '../domain/position.js';
import { createRing, RING_EVENTS } from './ring.js';
import { block, type Step } from './step.js';

/** How long an event that is ahead waits for its predecessors before the database is asked, in ms. */
const REORDER_WAIT_MS = 50;
/** How long events are kept for those who come back, in ms. */
const RING_AGE_MS = 60_000;

/**
 * What happens in one room, for all who watch it on this instance: the room's head and its latest events.
 *
 * It is fed by the bus, by this instance's own writes and by the tick, in any order and number; what it holds is
 * the room's history without a hole. Readers keep their own place and read on from it: a slow one holds no more than
 * the step that it is in.
 */
export interface Feed {
  readonly head: Head;
  /**
   * What a reader at this position gets next. `at-head`: nothing yet. `not-held`: the feed does not reach back that
   * far, or has no such place: the database has to tell.
   */
  next(position: Position): Step | 'at-head' | 'not-held';
  /** Resolves when there is more, the feed has ended, or the signal aborts. */
  changed(signal: AbortSignal): Promise<void>;
  /** Calls back each time that there is more, and when the feed ends. @returns a function that stops it. */
  watch(listener: () => void): () => void;
  /** Takes in what the bus or a write of ours tells. */
  apply(change: RoomChanged): void;
  /** Takes in that the database is this far: what is missing is fetched. */
  reach(head: Head): void;
  /** Forgets events that are older than anybody's pause between two connections. To be called now and then. */
  forgetOld(): void;
  /** Ends all readers with the error. */
  fail(error: Error): void;
  readonly failure: Error | null;
  close(): void;
}

export interface FeedServices {
  readonly messages: Pick<MessageStore, 'readSince'>;
  readonly log: Log;
  /** Called where an event shows that the database holds another history than this feed. */
  readonly onContradiction: () => void;
}

export function createFeed(
  roomId: string,
  start: Head,
  { messages, log, onContradiction }: FeedServices,
): Feed {
  let head = start;
  const ring = createRing();
  /** Messages that are ahead of the head, by their `rev`. */
  const early = new Map<number, Message>();
  let target = start.rev;
  let timer: NodeJS.Timeout | undefined;
  let repairing = false;
  let failure: Error | null = null;
  const listeners = new Set<() => void>();

  function wake(): void {
    for (const listener of [...listeners]) listener();
  }

  function watch(listener: () => void): () => void {
    listeners.add(listener);
    return () => void listeners.delete(listener);
  }

  function advance(to: Head, events: readonly MessageEvent[]): void {
    ring.push({ from: head, to, events });
    head = to;
  }

  /** The next in order. False where it can't be: a message further on than the next has others before it. */
  function append(message: Message): boolean {
    if (message.seq > head.seq + 1) return false;
    const kind = message.seq > head.seq ? 'added' : 'changed';
    const position = { seq: Math.max(head.seq, message.seq), rev: message.rev };
    advance(position, [{ kind, message, position }]);
    return true;
  }

  function appendEarly(): void {
    for (let next = early.get(head.rev + 1); next && append(next); next = early.get(head.rev + 1));
    for (const rev of early.keys()) if (rev <= head.rev) early.delete(rev);
  }

  /** Whatever is missing below `target` may still be on its way: wait for it a moment, then fetch it. */
  function watchForGap(waitMs = REORDER_WAIT_MS): void {
    if (failure || head.rev >= target) {
      clearTimeout(timer);
      timer = undefined;
    } else if (!timer && !repairing) timer = setTimeout(repair, waitMs);
  }

  async function repair(): Promise<void> {
    timer = undefined;
    repairing = true;
    const asked = target;
    try {
      const found = await messages.readSince(roomId, head.rev, RING_EVENTS + 1);
      if (failure) return;
      if (found && found.head.rev > head.rev) {
        if (found.messages.length > RING_EVENTS) {
          // More than the ring holds: everyone reads the database up to here.
          ring.clear();
          head = found.head;
        } else {
          const later = found.messages.filter(({ rev }) => rev > head.rev);
          advance(found.head, block(head, found.head, later));
        }
        log.debug({ roomId, rev: head.rev }, 'Feed repaired from the database');
      }
      appendEarly();
      // The database has the last word: what it does not know of is not waited for.
      if (target === asked) target = head.rev;
    } catch (error) {
      // The next tick asks again.
      log.warn({ roomId, error: String(error) }, 'Feed could not be repaired yet');
      target = head.rev;
    } finally {
      repairing = false;
    }
    wake();
    watchForGap();
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
      const isThere =
        rev === null ? seq >= head.seq : rev > head.rev || (rev === head.rev && seq === head.seq);
      if (isThere) return 'at-head';
      return ring.after(position) ?? 'not-held';
    },
    changed: (signal) =>
      new Promise((resolve) => {
        const done = () => {
          unwatch();
          signal.removeEventListener('abort', done);
          resolve();
        };
        if (signal.aborted) return resolve();
        const unwatch = watch(done);
        signal.addEventListener('abort', done);
      }),
    watch,
    apply(change) {
      const before = head.rev;
      for (const message of change.messages) {
        if (message.rev <= head.rev) {
          if (ring.contradicts(message.seq, message.id)) onContradiction();
        } else if (early.size < RING_EVENTS) early.set(message.rev, message);
      }
      appendEarly();
      target = Math.max(target, change.head.rev);
      if (head.rev > before) wake();
      // Rows that were too large for the bus do not come after it.
      watchForGap(change.messages.length === 0 ? 0 : REORDER_WAIT_MS);
    },
    reach(other) {
      target = Math.max(target, other.rev);
      watchForGap();
    },
    forgetOld: () => ring.forgetBefore(performance.now() - RING_AGE_MS),
    fail(error) {
      failure = error;
      clearTimeout(timer);
      wake();
    },
    close() {
      clearTimeout(timer);
      failure ??= new Error('The feed is closed.');
      wake();
    },
  };
}
