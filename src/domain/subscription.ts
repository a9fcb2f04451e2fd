import { assertWithinHistory, decodeMessageCursor, type MessageCursor } from './cursor.js';
import { ServiceUnavailableError } from './errors.js';
import type { Head } from './events.js';
import type { Feed } from './feed.js';
import type { Attachment, Feeds } from './feeds.js';
import {
  type History,
  type Message,
  type MessageEdge,
  messageEdge,
  noSuchRoom,
  notAReader,
} from './message.js';
import { LARGEST_PAGE_SIZE } from './page.js';
import type { MessageSnapshot, MessageStore } from './ports.js';
import type { Viewer } from './user.js';

/** How long a subscriber who needs the database waits between tries while it is away, in ms. */
const RETRY_MS = 1000;

export interface SubscriptionServices {
  readonly messages: Pick<MessageStore, 'read'>;
  readonly feeds: Feeds;
  readonly history: History;
}

/** The deliveries of one subscription. `return()` ends it at once, also while `next()` waits. */
export type MessageEdges = AsyncIterableIterator<MessageEdge, void, void> &
  Required<Pick<AsyncIterator<MessageEdge, void, void>, 'return' | 'throw'>>;

export function createSubscriptions({ messages, feeds, history }: SubscriptionServices) {
  /**
   * The room's messages between `after` and `target`, oldest first, one page at most, with the head as of that snapshot.
   * Each page checks the reader's access in its own snapshot.
   */
  async function read(viewer: Viewer, roomId: string, after: number | null, target: Head | null) {
    const cursor = (seq: number): MessageCursor => ({ roomId, epoch: history.epoch, seq, rev: null });
    const snapshot = await messages.read(roomId, viewer.userId, {
      from: 'start',
      size: after === null ? 0 : LARGEST_PAGE_SIZE,
      after: after === null ? null : cursor(after),
      before: target && cursor(target.seq + 1),
    });
    if (!snapshot) throw noSuchRoom();
    if (!snapshot.isMember) throw notAReader();
    return snapshot;
  }

  /** As `read`, but waits while the database is away: that ends no subscription. */
  async function readWhenAvailable(
    signal: AbortSignal,
    ...args: Parameters<typeof read>
  ): Promise<MessageSnapshot> {
    for (;;) {
      try {
        return await read(...args);
      } catch (error) {
        if (!(error instanceof ServiceUnavailableError) || signal.aborted) throw error;
        await sleep(RETRY_MS, signal);
      }
    }
  }

  /**
   * Replay, cut over, live. The replay runs up to the head of its first snapshot, a target that does not move; what
   * came meanwhile is in the feed's ring by then, or else is the next replay. The subscriber's place in the sequence
   * decides alone what comes next, so nothing is skipped or repeated wherever a message came from.
   */
  async function* follow(
    viewer: Viewer,
    feed: Feed,
    roomId: string,
    first: MessageSnapshot,
    start: number,
    signal: AbortSignal,
  ): AsyncGenerator<Message, void, void> {
    let position = start;
    let page = first;
    let target = first.head;
    while (!signal.aborted) {
      for (const message of page.messages) {
        yield message;
        position = message.seq;
      }
      if (position < target.seq) {
        page = await readWhenAvailable(signal, viewer, roomId, position, target);
        continue;
      }
      feed.reach(target);
      let live = feed.after(position);
      while (live && !signal.aborted) {
        for (const message of live) {
          yield message;
          position = message.seq;
        }
        if (feed.failure) throw feed.failure;
        if (live.length === 0) await feed.changed(signal);
        live = feed.after(position);
      }
      if (signal.aborted) return;
      page = await readWhenAvailable(signal, viewer, roomId, position, null);
      target = page.head;
    }
  }

  return {
    /**
     * Every message of the room after the cursor, in `seq` order and each once; without a cursor, from now on.
     * `now` is when the promise resolves: all sent later is delivered.
     *
     * @throws BadUserInputError, ForbiddenError, HistoryGapError, ServiceUnavailableError
     */
    async messages(viewer: Viewer, roomId: string, after: string | null): Promise<MessageEdges> {
      const cursor = after === null ? null : decodeMessageCursor(after, roomId, 'after');
      const attachment = await feeds.attach(roomId);
      if (!attachment) throw noSuchRoom();
      try {
        const first = await read(viewer, roomId, cursor?.seq ?? null, null);
        if (cursor) assertWithinHistory(cursor, history.epoch, first.head.seq);
        const end = new AbortController();
        const source = follow(
          viewer,
          attachment.feed,
          roomId,
          first,
          cursor?.seq ?? first.head.seq,
          end.signal,
        );
        return edges(source, attachment, end);
      } catch (error) {
        attachment.release();
        throw error;
      }
    },
  };

  /**
   * An async generator queues `return()` behind the `next()` it waits in: in a silent room, for ever. So this wakes
   * it first, and releases the feed also where nobody has called `next()` yet.
   */
  function edges(
    source: AsyncGenerator<Message, void, void>,
    attachment: Attachment,
    end: AbortController,
  ): MessageEdges {
    const finish = (): void => {
      end.abort();
      attachment.release();
    };
    const iterator: MessageEdges = {
      async next() {
        try {
          const result = await source.next();
          if (!result.done) return { done: false, value: messageEdge(history, result.value) };
          finish();
          return { done: true, value: undefined };
        } catch (error) {
          finish();
          throw error;
        }
      },
      async return() {
        finish();
        await source.return();
        return { done: true, value: undefined };
      },
      async throw(error) {
        finish();
        await source.return();
        throw error;
      },
      [Symbol.asyncIterator]: () => iterator,
    };
    return iterator;
  }
}

export type Subscriptions = ReturnType<typeof createSubscriptions>;

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
