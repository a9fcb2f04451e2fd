import type { Head, RoomChanged } from './events.js';
import type { Message } from './message.js';
import type { Log, MessageStore } from './ports.js';

/** Latest messages that a feed keeps for its subscribers; who is further behind reads the database. */
const RING_SIZE = 1024;
/** How long an event that is ahead waits for its predecessors before the database is asked, in ms. */
const REORDER_WAIT_MS = 50;

/**
 * What happens in one room, for all who watch it on this instance: the room's head and its latest messages.
 *
 * It is fed by the bus, by this instance's own writes and by the tick, in any order and number; what it holds is
 * the room's sequence without a hole. Subscribers keep their own place and read on from it, so a slow one costs no
 * memory here.
 */
export interface Feed {
  readonly head: Head;
  /** Messages after `seq` in their order; null where the ring no longer reaches back that far. */
  after(seq: number): readonly Message[] | null;
  /** Resolves when there is more, or the signal aborts. */
  changed(signal: AbortSignal): Promise<void>;
  /** Takes in what the bus or a write of ours tells. */
  apply(change: RoomChanged): void;
  /** Takes in that the database is this far: what is missing is fetched. */
  reach(head: Head): void;
  /** Ends all subscribers with the error. */
  fail(error: Error): void;
  readonly failure: Error | null;
  close(): void;
}

export function createFeed(
  roomId: string,
  start: Head,
  messages: Pick<MessageStore, 'readSince'>,
  log: Log,
): Feed {
  let head = start;
  let ring: Message[] = [];
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

  function append(message: Message): void {
    ring.push(message);
    // Cut in large steps: a splice per message would move the whole ring every time.
    if (ring.length > 2 * RING_SIZE) ring = ring.slice(-RING_SIZE);
    head = { seq: message.seq, rev: message.rev };
  }

  function appendEarly(): void {
    for (let next = early.get(head.rev + 1); next; next = early.get(head.rev + 1)) {
      early.delete(next.rev);
      append(next);
    }
    for (const rev of early.keys()) if (rev <= head.rev) early.delete(rev);
  }

  /** Whatever is missing below `target` may still be on its way: wait for it a moment, then fetch it. */
  function watchForGap(): void {
    if (failure || head.rev >= target) {
      clearTimeout(timer);
      timer = undefined;
    } else if (!timer && !repairing) timer = setTimeout(repair, REORDER_WAIT_MS);
  }

  async function repair(): Promise<void> {
    timer = undefined;
    repairing = true;
    try {
      const found = await messages.readSince(roomId, head.seq, RING_SIZE);
      if (found && found.head.rev > head.rev) {
        const complete = (found.messages.at(-1)?.seq ?? head.seq) === found.head.seq;
        if (complete) {
          // An event may have been appended while we read.
          for (const message of found.messages) if (message.seq > head.seq) append(message);
        } else {
          // More than the ring holds: everyone reads the database up to here.
          ring = [];
        }
        if (found.head.rev > head.rev) head = found.head;
        log.debug({ roomId, rev: head.rev }, 'Feed repaired from the database');
      }
      appendEarly();
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
    after(seq) {
      if (seq >= head.seq) return [];
      const first = ring[0];
      if (!first || first.seq > seq + 1) return null;
      return ring.slice(seq + 1 - first.seq);
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
      for (const message of change.messages) if (message.rev > head.rev) early.set(message.rev, message);
      appendEarly();
      target = Math.max(target, change.head.rev);
      if (head.rev > before) wake();
      watchForGap();
    },
    reach(other) {
      target = Math.max(target, other.rev);
      watchForGap();
    },
    fail(error) {
      failure = error;
      wake();
    },
    close() {
      clearTimeout(timer);
      failure ??= new Error('The feed is closed.');
      wake();
    },
  };
}
