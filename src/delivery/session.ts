import { gapBefore, type MessageCursor } from '../domain/cursor.js';
import { HistoryGapError, type HistoryGapReason, notAReader, roomNotFound } from '../domain/errors.js';
import type { History } from '../domain/history.js';
import type { MessageStore } from '../domain/message-store.js';
import type { Head, Position } from '../domain/position.js';
import type { Attachment, Feeds } from './feeds.js';
import { LiveReader, type Request } from './live.js';
import { createReplays, type NewsFilter, newsFilter, type Reader } from './replay.js';
import type { Delivery } from './room-event.js';
import { advanced, portionOf } from './step.js';
import type { OnLive } from './stream.js';

export interface SessionServices {
  readonly messages: Pick<MessageStore, 'read' | 'readChanges'>;
  readonly feeds: Feeds;
  readonly history: History;
}

/** A request that is being served by its own stream. */
export interface Serving<Event = unknown> {
  readonly request: Request<Event>;
  readonly signal: AbortSignal;
  /** Takes the reader over once it has everything. */
  onLive?: OnLive;
}

/** A reader at a room's feed, as of the moment when its access was checked. */
export interface Session {
  /** The history that everything in it belongs to. */
  readonly epoch: string;
  readonly reader: Reader;
  readonly attachment: Attachment;
  /** A reader who gets there has caught up; null if it had before. */
  readonly head: Head | null;
  readonly start: Position;
  /** Why the reader starts at the head instead of at its cursor. */
  readonly gap: HistoryGapReason | null;
  /** Whether the reader was handed over, with its attachment. */
  isHandedOver: boolean;
}

/** For readers of added messages alone, which come once. */
const ALL_IS_NEWS: NewsFilter = { isNews: () => true, isIdle: true };

/** How a reader's session begins, and how the room is followed in it. */
export function createSessions({ messages, feeds, history }: SessionServices) {
  const replays = createReplays(messages);

  /** @throws BadUserInputError, ForbiddenError, ServiceUnavailableError; HistoryGapError for readers of added messages. */
  async function open({ request, signal }: Serving, after: MessageCursor | null): Promise<Session> {
    const { viewer, roomId, only } = request;
    for (;;) {
      const { epoch } = history;
      const reader = { roomId, userId: viewer.userId, signal, checkedSeq: 0 };
      // First of all, since a feed is opened for no one who may not read the room.
      const head = await replays.head(reader);
      const gap = after && gapBefore(after, epoch, head);
      if (gap && only === 'added') throw new HistoryGapError(gap);
      const attachment = await feeds.attach(roomId);
      if (!attachment) throw roomNotFound();
      const { seq, rev } = gap ? head : (after ?? head);
      const start = { seq, rev: only === 'added' ? null : rev };
      if (!signal.aborted && history.epoch === epoch)
        return { epoch, reader, attachment, head, start, gap, isHandedOver: false };
      attachment.release();
      signal.throwIfAborted();
    }
  }

  /**
   * Replay, cut over, live. While the feed holds the reader's position, the reader is served from it; otherwise the
   * database supplies what is missing, up to a target that does not move, and then the feed is asked again. The position
   * alone decides what comes next, so nothing is skipped or repeated, whichever way an event came. Ends when the reader
   * is handed over.
   */
  async function* follow(
    session: Session,
    { request, onLive }: Serving,
  ): AsyncGenerator<Delivery, void, void> {
    const { epoch, reader, attachment, head, start } = session;
    const { feed } = attachment;
    const { signal } = reader;
    /** Wherever time may have passed: what comes after the end of the feed belongs to another history. */
    const assertAlive = (): void => {
      if (feed.failure) throw feed.failure;
    };
    const news = start.rev === null ? ALL_IS_NEWS : newsFilter();
    let position = start;
    let isCaughtUp = head === null;
    if (head) feed.reach(head);

    while (!signal.aborted) {
      assertAlive();
      const step = feed.next(position);
      if (step === 'not-held') {
        const { target, events } = await replays.start(reader, position);
        for await (const event of events) {
          assertAlive();
          if (news.isNews(event, target)) yield event;
        }
        // If nothing moved, feed and database contradict each other: the next tick settles it.
        const isMoved = target.seq !== position.seq || target.rev !== (position.rev ?? target.rev);
        if (!isMoved) await feed.changed(signal);
        position = advanced(position, target);
        feed.reach(target);
      } else if (!isCaughtUp && head && position.seq >= head.seq && (position.rev ?? head.rev) >= head.rev) {
        isCaughtUp = true;
        yield { kind: 'caught-up', position };
      } else if (step === 'at-head' && isCaughtUp && onLive && news.isIdle && isAt(feed.head, position)) {
        session.isHandedOver = true;
        onLive(new LiveReader(request, epoch, attachment, reader.checkedSeq, position));
        return;
      } else if (step === 'at-head') await feed.changed(signal);
      else {
        const { events, end, accessEnd } = portionOf(step, position, reader);
        for (const event of events) {
          assertAlive();
          if (news.isNews(event, step.to)) yield event;
        }
        assertAlive();
        if (accessEnd) throw notAReader();
        position = end;
      }
    }
  }

  return { open, follow };
}

/** Lets go of the feed, unless the hold on it was handed over. */
export function leave({ isHandedOver, attachment }: Session): void {
  if (!isHandedOver) attachment.release();
}

/** Whether the reader is exactly at the head: not before it, and not beyond what the feed has yet. */
function isAt(head: Head, { seq, rev }: Position): boolean {
  return seq === head.seq && (rev === null || rev === head.rev);
}
