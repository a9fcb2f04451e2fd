import { HistoryGapError, notAReader, roomNotFound, ServiceUnavailableError } from '../domain/errors.js';
import type { MessageEvent } from '../domain/events.js';
import type { Message } from '../domain/message.js';
import type { ChangeRange, MessageSnapshot, MessageStore } from '../domain/message-store.js';
import { MAX_PAGE_SIZE } from '../domain/page.js';
import type { Head, Position } from '../domain/position.js';
import { createSemaphore, type Semaphore } from '../lib/semaphore.js';

/** How many pages are read at the same time at most: a storm of reconnects leaves connections for everything else. */
const MAX_CONCURRENT_PAGE_READS = 4;
/** The same of looks at a room's head, with which subscriptions begin. */
const MAX_CONCURRENT_HEAD_READS = 4;
/** How long a subscription waits for its look at most before it counts the database as away, in ms. */
const HEAD_READ_TIMEOUT_MS = 5000;
/** How long a reader who needs the database waits between tries while it is away, in ms. */
const RETRY_MS = 1000;
/** About how many bytes of text a page keeps in memory while its reader is slow. At least one message. */
const PAGE_BYTES = 128 * 1024;

/** Who reads which room. The signal ends every wait. */
export interface Reader {
  readonly roomId: string;
  readonly userId: string;
  readonly signal: AbortSignal;
  /** The `seq` up to which the reader's membership is known from the database. */
  checkedSeq: number;
}

/** Reads a room's history from the database for subscribers, with the reader's access checked in every snapshot. */
export function createReplays(messages: Pick<MessageStore, 'read' | 'readChanges'>) {
  const pages = createSemaphore(MAX_CONCURRENT_PAGE_READS, null);
  const looks = createSemaphore(MAX_CONCURRENT_HEAD_READS, {
    ms: HEAD_READ_TIMEOUT_MS,
    error: () => new ServiceUnavailableError(),
  });

  async function readOnce(
    semaphore: Semaphore,
    reader: Reader,
    read: () => Promise<MessageSnapshot | null>,
  ): Promise<MessageSnapshot> {
    const snapshot = await semaphore.run(read, reader.signal);
    if (!snapshot) throw roomNotFound();
    if (!snapshot.isMember) throw notAReader();
    reader.checkedSeq = snapshot.head.seq;
    return snapshot;
  }

  /** As `readOnce`, but waits while the database is away: that ends no subscription. */
  async function readPage(
    reader: Reader,
    read: () => Promise<MessageSnapshot | null>,
  ): Promise<{ head: Head; messages: readonly Message[]; isLast: boolean }> {
    const { head, messages } = await whenAvailable(reader.signal, () => readOnce(pages, reader, read));
    const kept = withinBytes(messages);
    return {
      head,
      messages: kept,
      isLast: kept.length < MAX_PAGE_SIZE && kept.length === messages.length,
    };
  }

  function readChanged(reader: Reader, range: Omit<ChangeRange, 'size'>) {
    const { roomId, userId } = reader;
    return readPage(reader, () => messages.readChanges(roomId, userId, { ...range, size: MAX_PAGE_SIZE }));
  }

  /** Messages after `seq`, up to a target that the first page sets. */
  function readAdded(reader: Reader, seq: number, target: Head | null) {
    return readPage(reader, () =>
      messages.read(reader.roomId, reader.userId, {
        from: 'start',
        size: MAX_PAGE_SIZE,
        after: seq,
        before: target && target.seq + 1,
      }),
    );
  }

  async function* replay(reader: Reader, from: Position, first: Awaited<ReturnType<typeof readAdded>>) {
    const target = first.head;
    /** Held back until it is known to be the last: whoever has that one is at the target. */
    let held: MessageEvent | undefined;

    let page = first;
    for (let { seq } = from; seq < target.seq; page = await readAdded(reader, seq, target)) {
      for (const message of page.messages) {
        ({ seq } = message);
        const event: MessageEvent = { kind: 'added', message, position: { seq, rev: from.rev } };
        if (seq < target.seq) yield event;
        else held = event;
      }
      if (seq >= target.seq) break;
      if (page.head.seq < target.seq) throw new HistoryGapError('RESET');
      if (page.messages.length === 0) throw new Error(`The sequence of room ${reader.roomId} has a hole.`);
    }

    if (from.rev !== null) {
      for (let { rev } = from, isLast = rev === target.rev; !isLast; ) {
        const changes = await readChanged(reader, { seq: from.seq, after: rev, upTo: target.rev });
        if (changes.head.rev < target.rev) throw new HistoryGapError('RESET');
        for (const message of changes.messages) {
          if (held) yield held;
          ({ rev } = message);
          held = { kind: 'changed', message, position: { seq: target.seq, rev } };
        }
        ({ isLast } = changes);
      }
    }
    if (held) yield { ...held, position: target };
  }

  return {
    /** The room's head, once. @throws ServiceUnavailableError where the database is away. */
    async head(reader: Reader): Promise<Head> {
      const range = { from: 'start', size: 0, after: null, before: null } as const;
      const { head } = await readOnce(looks, reader, () =>
        messages.read(reader.roomId, reader.userId, range),
      );
      return head;
    },

    /**
     * All that happened after a position, up to a target that stands still meanwhile: added messages by `seq`, then
     * changes of older ones by `rev`. (By `rev` alone, added messages would come out of order once an older one of them
     * was changed.) A message that was changed beyond the target meanwhile comes as it is by then. Pages are read as
     * the events are taken.
     */
    async start(
      reader: Reader,
      from: Position,
    ): Promise<{ target: Head; events: AsyncGenerator<MessageEvent, void, void> }> {
      const first = await readAdded(reader, from.seq, null);
      const target = first.head;
      if (target.seq < from.seq) throw new HistoryGapError('RESET');
      return { target, events: replay(reader, from, first) };
    },
  };
}

/**
 * Tells what a reader has not been told yet: a replay tells a message as it stands, so its latest change may lie beyond
 * the replay's target, and comes again with what follows.
 */
export function newsFilter(): NewsFilter {
  const told = new Map<string, number>();
  return {
    isNews({ message: { id, rev } }, target) {
      const before = told.get(id);
      if (rev > target.rev) told.set(id, rev);
      else if (before !== undefined && rev >= before) told.delete(id);
      return before === undefined || rev > before;
    },
    get isIdle() {
      return told.size === 0;
    },
  };
}

export interface NewsFilter {
  /** Whether an event on the way to a target tells the reader anything. */
  isNews(event: MessageEvent, target: Head): boolean;
  /** Whether all that comes is news. */
  readonly isIdle: boolean;
}

/** Tries again while a part that is needed is away, until the signal aborts. */
export async function whenAvailable<Result>(
  signal: AbortSignal,
  task: () => Promise<Result>,
): Promise<Result> {
  for (;;) {
    signal.throwIfAborted();
    try {
      return await task();
    } catch (error) {
      if (!(error instanceof ServiceUnavailableError)) throw error;
      await sleep(RETRY_MS, signal);
    }
  }
}

function withinBytes(messages: readonly Message[]): readonly Message[] {
  let bytes = 0;
  const end = messages.findIndex(({ text }, index) => {
    bytes += 2 * text.length;
    return bytes > PAGE_BYTES && index > 0;
  });
  return end < 0 ? messages : messages.slice(0, end);
}

function sleep(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, milliseconds);
    signal.addEventListener('abort', done);
  });
}
