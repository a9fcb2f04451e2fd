import { HistoryGapError, readForbidden, roomNotFound } from '../../domain/errors.js';
import type { MessageEvent } from '../../domain/events.js';
import { membershipIn } from '../../domain/memberships.js';
import type { Message } from '../../domain/message/message.js';
import type { MessageSnapshot, MessageStore } from '../../domain/message/store.js';
import { MAX_PAGE_SIZE } from '../../domain/page.js';
import type { Head, Position } from '../../domain/position.js';
import { whenAvailable } from '../retry.js';
import { createHeldPages, type HeldPage } from './held-pages.js';
import { createSharedReads } from './shared-reads.js';

/** Maximum number of concurrent page reads. */
const MAX_CONCURRENT_READS = 4;
/** Approximate maximum size of the texts of a page, in bytes. At least one message. */
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

/** A page as a reader goes through it. */
interface Page {
  readonly head: Head;
  readonly held: HeldPage;
  readonly isEmpty: boolean;
  /** Whether no page follows it. */
  readonly isLast: boolean;
}

/** Reads a room's history from the database for subscribers. Each snapshot includes a check of the reader's access. */
export function createReplays(messages: Pick<MessageStore, 'read' | 'readChanges'>) {
  const reads = createSharedReads<MessageSnapshot | 'no-room'>(MAX_CONCURRENT_READS);
  const heldPages = createHeldPages();

  /** Retries while the database is unavailable, which ends no subscription. */
  function readPage(
    reader: Reader,
    key: string,
    read: (readerIds: readonly string[]) => Promise<MessageSnapshot | null>,
  ): Promise<Page> {
    return whenAvailable(reader.signal, async () => {
      const snapshot = await reads.run(key, reader, async (ids) => (await read(ids)) ?? 'no-room');
      const membership = snapshot === 'no-room' ? 'not-found' : membershipIn(snapshot, reader.userId);
      if (snapshot === 'no-room' || membership === 'not-found') throw roomNotFound();
      if (membership === 'not-a-member') throw readForbidden();
      reader.checkedSeq = snapshot.head.seq;
      const kept = truncateToBytes(snapshot.messages);
      return {
        head: snapshot.head,
        held: heldPages.hold(kept),
        isEmpty: kept.length === 0,
        isLast: kept.length < MAX_PAGE_SIZE && kept.length === snapshot.messages.length,
      };
    });
  }

  /** Reads messages after `seq`, up to the target. Without one, the head of this first page becomes the target. */
  function readAdded(reader: Reader, seq: number, target: Head | null): Promise<Page> {
    const { roomId } = reader;
    const before = target && Math.min(target.seq, seq + MAX_PAGE_SIZE) + 1;
    return readPage(reader, `${roomId} added ${seq} ${before}`, (readerIds) =>
      messages.read(roomId, readerIds, { from: 'start', size: MAX_PAGE_SIZE, after: seq, before }),
    );
  }

  function readChanged(reader: Reader, seq: number, after: number, upTo: number): Promise<Page> {
    const { roomId } = reader;
    return readPage(reader, `${roomId} changed ${seq} ${after} ${upTo}`, (readerIds) =>
      messages.readChanges(roomId, readerIds, { seq, after, upTo, size: MAX_PAGE_SIZE }),
    );
  }

  /** The messages after `from`, up to the head of the first page. */
  async function* added(reader: Reader, from: number, first: Page): AsyncGenerator<Message, void, void> {
    const target = first.head;
    let seq = from;
    let page = first;
    try {
      while (seq < target.seq) {
        const message = page.held.next();
        if (typeof message !== 'string') {
          ({ seq } = message);
          yield message;
          continue;
        }
        page.held.release();
        page = await readAdded(reader, seq, target);
        if (page.head.seq < target.seq) throw new HistoryGapError('RESET');
        if (page.isEmpty)
          throw new Error(`The message sequence of room ${reader.roomId} has a gap after seq ${seq}.`);
      }
    } finally {
      page.held.release();
    }
  }

  /** The messages up to `from.seq` that were changed after `from.rev`, up to the target. */
  async function* changed(reader: Reader, from: Head, target: Head): AsyncGenerator<Message, void, void> {
    if (from.rev === target.rev) return;
    let { rev } = from;
    const readNext = async (): Promise<Page> => {
      const next = await readChanged(reader, from.seq, rev, target.rev);
      if (next.head.rev < target.rev) throw new HistoryGapError('RESET');
      return next;
    };
    let page = await readNext();
    try {
      for (;;) {
        const message = page.held.next();
        if (typeof message !== 'string') {
          ({ rev } = message);
          yield message;
        } else if (message === 'end' && page.isLast) return;
        else {
          page.held.release();
          page = await readNext();
        }
      }
    } finally {
      page.held.release();
    }
  }

  async function* replay(
    reader: Reader,
    from: Position,
    first: Page,
  ): AsyncGenerator<MessageEvent, void, void> {
    const target = first.head;
    /** Held back until it is known whether it is the last event, whose position is the target. */
    let heldBack: MessageEvent | undefined;
    for await (const message of added(reader, from.seq, first)) {
      const event: MessageEvent = {
        kind: 'added',
        message,
        position: { seq: message.seq, rev: from.rev },
      };
      if (message.seq < target.seq) yield event;
      else heldBack = event;
    }
    if (from.rev !== null)
      for await (const message of changed(reader, { seq: from.seq, rev: from.rev }, target)) {
        if (heldBack) yield heldBack;
        heldBack = { kind: 'changed', message, position: { seq: target.seq, rev: message.rev } };
      }
    if (heldBack) yield { ...heldBack, position: target };
  }

  return {
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
      if (first.head.seq >= from.seq) return { target: first.head, events: replay(reader, from, first) };
      first.held.release();
      throw new HistoryGapError('RESET');
    },

    /** Approximate size of the pages that readers go through, in bytes. */
    get heldBytes() {
      return heldPages.bytes;
    },
  };
}

export type Replays = ReturnType<typeof createReplays>;

/** The first messages whose texts fit into a page, at least one. */
function truncateToBytes(messages: readonly Message[]): readonly Message[] {
  let bytes = 0;
  const end = messages.findIndex(({ text }, index) => {
    bytes += 2 * text.length;
    return bytes > MAX_PAGE_BYTES && index > 0;
  });
  return end < 0 ? messages : messages.slice(0, end);
}
