import type { Head, MessageEvent, Position, RoomChanged } from './events.js';
import type { Message } from './message.js';
import type { Log, MessageStore } from './ports.js';
import { createRing, RING_EVENTS, type Step } from './ring.js';

/** How long an event that is ahead waits for its predecessors before the database is asked, in ms. */
const REORDER_WAIT_MS = 50;

/**
 * What happens in one room, for all who watch it on this instance: the room's head and its latest events.
 *
 * It is fed by the bus, by this instance's own writes and by the tick, in any order and number; what it holds is
 * the room's history without a hole. Readers keep their own place and read on from it, so a slow one costs no
 * memory here.
 */
export interface Feed {
  readonly head: Head;
  /**
   * What a reader at this position gets next. `at-head`: nothing yet. `not-held`: the feed does not reach back that
   * far, or has no such place: the database has to tell.
   */
  next(position: Position): Step | 'at-head' | 'not-held';
  /** Resolves when there is more, or the signal aborts. */
  changed(signal: AbortSignal): Promise<void>;
  /** Takes in what the bus or a write of ours tells. */
  apply(change: RoomChanged): void;
  /** Takes in that the database is this far: what is missing is fetched. */
  reach(head: Head): void;
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
  const waiting = new Set<() => void>();

  function wake(): void {
    for (const resolve of [...waiting]) resolve();
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
        } else advance(found.head, block(head, found.head, found.messages));
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
          waiting.delete(done);
          signal.removeEventListener('abort', done);
          resolve();
        };
        if (signal.aborted) return resolve();
        waiting.add(done);
        signal.addEventListener('abort', done);
      }),
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

/**
 * What happened between two heads, told by the messages as they stand now: first those that were added, by `seq`, then
 * the changes of older ones, by `rev`. Who has seen only a part of it goes on from the old `rev`: at worst a change
 * comes twice then. Who has seen all of it is at the new head.
 *
 * @param messages all with a later `rev` than `from`, by `rev`.
 */
export function block(from: Head, to: Head, messages: readonly Message[]): MessageEvent[] {
  const later = messages.filter(({ rev }) => rev > from.rev);
  const added = later.filter(({ seq }) => seq > from.seq).sort((a, b) => a.seq - b.seq);
  const changed = later.filter(({ seq }) => seq <= from.seq);
  const events: MessageEvent[] = [
    ...added.map(
      (message) =>
        ({ kind: 'added', message, position: { seq: message.seq, rev: from.rev } }) satisfies MessageEvent,
    ),
    ...changed.map(
      (message) =>
        ({ kind: 'changed', message, position: { seq: to.seq, rev: message.rev } }) satisfies MessageEvent,
    ),
  ];
  const last = events.pop();
  if (last) events.push({ ...last, position: to });
  return events;
}
