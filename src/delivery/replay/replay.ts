import { HistoryGapError, readForbidden, roomNotFound, ServiceUnavailableError } from '../../domain/errors.js';
import type { MessageEvent } from '../../domain/events.js';
import type { Message } from '../../domain/message/message.js';
import type { ChangeRange, MessageSnapshot, MessageStore } from '../../domain/message/store.js';
import { MAX_PAGE_SIZE } from '../../domain/page.js';
import type { Head, Position } from '../../domain/position.js';
import { createSemaphore, type Semaphore } from '../../lib/semaphore.js';
import { whenAvailable } from '../retry.js';

/** Maximum number of concurrent page reads, so that a burst of reconnects leaves connections for everything else. */
const MAX_CONCURRENT_PAGE_READS = 4;
/** Maximum number of concurrent head reads, with which subscriptions begin. */
const MAX_CONCURRENT_HEAD_READS = 4;
/** Maximum wait for a head read to begin, in ms. After it, the database counts as unavailable. */
const HEAD_READ_TIMEOUT_MS = 5000;
/** Approximate maximum size of the texts of a page, in bytes: a slow reader keeps a page in memory. At least one message. */
const MAX_PAGE_BYTES = 128 * 1024;

/** A user who reads a room. */
export interface Reader {
  readonly roomId: string;
  readonly userId: string;
  /** Ends every wait. */
  readonly signal: AbortSignal;
  /** The `seq` up to which the database has confirmed the membership. */
  checkedSeq: number;
}

/** Reads a room's history from the database for subscribers. Each snapshot includes a check of the reader's access. */
export function createReplays(messages: Pick<MessageStore, 'read' | 'readChanges'>) {
  // Users take turns, however many replays each of them has.
  const pageReads = createSemaphore({ permits: MAX_CONCURRENT_PAGE_READS });
  const headReads = createSemaphore({
    permits: MAX_CONCURRENT_HEAD_READS,
    timeout: { ms: HEAD_READ_TIMEOUT_MS, error: () => new ServiceUnavailableError() },
  });

  async function readSnapshot(
    semaphore: Semaphore,
    reader: Reader,
    read: () => Promise<MessageSnapshot | null>,
  ): Promise<MessageSnapshot> {
    const snapshot = await semaphore.run(read, { key: reader.userId, signal: reader.signal });
    if (!snapshot) throw roomNotFound();
    if (!snapshot.isMember) throw readForbidden();
    reader.checkedSeq = snapshot.head.seq;
    return snapshot;
  }

  /** Retries while the database is unavailable, which ends no subscription. */
  async function readPage(
    reader: Reader,
    read: () => Promise<MessageSnapshot | null>,
  ): Promise<{ head: Head; messages: readonly Message[]; isLast: boolean }> {
    const { head, messages } = await whenAvailable(reader.signal, () =>
      readSnapshot(pageReads, reader, read),
    );
    const kept = truncateToBytes(messages);
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

  /** Reads messages after `seq`, up to the target. Without one, the head of this first page becomes the target. */
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
    /** Held back until it is known whether it is the last event, whose position is the target. */
    let heldBack: MessageEvent | undefined;

    let page = first;
    for (let { seq } = from; seq < target.seq; page = await readAdded(reader, seq, target)) {
      for (const message of page.messages) {
        ({ seq } = message);
        const event: MessageEvent = { kind: 'added', message, position: { seq, rev: from.rev } };
        if (seq < target.seq) yield event;
        else heldBack = event;
      }
      if (seq >= target.seq) break;
      if (page.head.seq < target.seq) throw new HistoryGapError('RESET');
      if (page.messages.length === 0)
        throw new Error(`The message sequence of room ${reader.roomId} has a gap after seq ${seq}.`);
    }

    if (from.rev !== null) {
      for (let { rev } = from, isLast = rev === target.rev; !isLast; ) {
        const changes = await readChanged(reader, { seq: from.seq, after: rev, upTo: target.rev });
        if (changes.head.rev < target.rev) throw new HistoryGapError('RESET');
        for (const message of changes.messages) {
          if (heldBack) yield heldBack;
          ({ rev } = message);
          heldBack = { kind: 'changed', message, position: { seq: target.seq, rev } };
        }
        ({ isLast } = changes);
      }
    }
    if (heldBack) yield { ...heldBack, position: target };
  }

  return {
    /** Reads the room's head, without retries. @throws ServiceUnavailableError if the database is unavailable. */
    async readHead(reader: Reader): Promise<Head> {
      const range = { from: 'start', size: 0, after: null, before: null } as const;
      const { head } = await readSnapshot(headReads, reader, () =>
        messages.read(reader.roomId, reader.userId, range),
      );
      return head;
    },

    /**
     * Starts a replay of everything after a position, up to a fixed target: added messages by `seq`, then changes of older
     * ones by `rev`. (By `rev` alone, an added message would be out of order if it was changed later.) A message that was
     * changed beyond the target is delivered in its current state. Pages are read as the events are consumed.
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

/** The first messages whose texts fit into a page, at least one. */
function truncateToBytes(messages: readonly Message[]): readonly Message[] {
  let bytes = 0;
  const end = messages.findIndex(({ text }, index) => {
    bytes += 2 * text.length;
    return bytes > MAX_PAGE_BYTES && index > 0;
  });
  return end < 0 ? messages : messages.slice(0, end);
}
