import { createDeliveryCounters, type DeliveryCounters } from '../domain/counters.js';
import { historyGapAfter, type MessageCursor } from '../domain/cursor.js';
import { HistoryGapError, type HistoryGapReason, readForbidden, roomNotFound } from '../domain/errors.js';
import type { History } from '../domain/history.js';
import { type Head, isSamePosition, type Position } from '../domain/position.js';
import type { ReadAccess } from './access.js';
import type { Attachment, Feeds } from './feed/feeds.js';
import { LiveReader, type SubscriptionRequest } from './live.js';
import { createDeduplicator, passThrough } from './replay/deduplicator.js';
import type { Reader, Replays } from './replay/replay.js';
import type { Delivery } from './room-event.js';
import { advanced, portionOf } from './step.js';
import type { OnLive } from './stream.js';

export interface SessionServices {
  readonly readAccess: ReadAccess;
  readonly replays: Replays;
  readonly feeds: Feeds;
  readonly history: History;
  readonly counters?: DeliveryCounters;
}

/** A subscription that is being served by a stream of its own. */
export interface Serving<Event = unknown> {
  readonly request: SubscriptionRequest<Event>;
  readonly signal: AbortSignal;
  /** Takes over the reader once it has received everything; absent if nothing takes it over. */
  onLive?: OnLive;
}

/** A reader attached to a room's feed, from the moment when its access was checked. It belongs to one epoch. */
export interface Session {
  readonly epoch: string;
  readonly reader: Reader;
  readonly attachment: Attachment;
  /** The head at which the reader has caught up; null if it had caught up before. */
  readonly head: Head | null;
  readonly start: Position;
  /** Why the reader starts at the head instead of at its cursor; null if it does not. */
  readonly gap: HistoryGapReason | null;
  /** Whether the reader was handed off, together with its attachment. */
  isHandedOff: boolean;
}

/** Opens sessions, and follows a room within them. */
export function createSessions({
  readAccess,
  replays,
  feeds,
  history,
  counters = createDeliveryCounters(),
}: SessionServices) {
  /** @throws BadUserInputError, ForbiddenError, ServiceUnavailableError; HistoryGapError for readers of added messages. */
  async function open({ request, signal }: Serving, after: MessageCursor | null): Promise<Session> {
    const { viewer, roomId, scope } = request;
    for (;;) {
      const { epoch } = history;
      // The access is checked first, so that a user without access opens no feed.
      const access = await readAccess(roomId, viewer.userId);
      if (!access || access.membership === 'not-found') throw roomNotFound();
      if (access.membership === 'not-a-member') throw readForbidden();
      const { head } = access;
      const gap = after && historyGapAfter(after, epoch, head);
      if (gap && scope === 'added') throw new HistoryGapError(gap);
      const attachment = await feeds.attach(roomId);
      if (!attachment) throw roomNotFound();
      const { seq, rev } = gap ? head : (after ?? head);
      const start = { seq, rev: scope === 'added' ? null : rev };
      const reader = { roomId, userId: viewer.userId, signal, checkedSeq: head.seq };
      if (!signal.aborted && history.epoch === epoch)
        return { epoch, reader, attachment, head, start, gap, isHandedOff: false };
      attachment.release();
      signal.throwIfAborted();
    }
  }

  /**
   * Delivers first what the reader has missed, then live events. While the feed holds the reader's position, the reader is
   * served from the feed. Otherwise a replay reads the missing events from the database, up to a fixed target, and then the
   * feed is tried again. The position alone decides what comes next, so nothing is skipped or repeated, whichever way an
   * event came. Ends when the reader is handed off.
   */
  async function* follow(
    session: Session,
    { request, onLive }: Serving,
  ): AsyncGenerator<Delivery, void, void> {
    const { epoch, reader, attachment, head, start } = session;
    const { feed } = attachment;
    const { signal } = reader;
    /** Called wherever time may have passed: what follows the end of the feed belongs to another epoch. */
    const assertFeedOpen = (): void => {
      if (feed.failure) throw feed.failure;
    };
    const deduplicator = start.rev === null ? passThrough : createDeduplicator();
    let position = start;
    /** The position for which the feed was asked to hold it. */
    let recalledFrom: Position | null = null;
    let isCaughtUp = head === null;
    if (head) feed.observeHead(head);

    while (!signal.aborted) {
      assertFeedOpen();
      const step = feed.next(position);
      if (step === 'not-held' && recalledFrom !== position) {
        // Once for each position: if the feed cannot hold it, the database does.
        recalledFrom = position;
        await feed.recall(position);
      } else if (step === 'not-held') {
        counters.replays += 1;
        const { target, events } = await replays.start(reader, position);
        for await (const event of events) {
          assertFeedOpen();
          if (deduplicator.isNew(event, target)) yield event;
        }
        // If the position did not move, feed and database contradict each other. The next tick resolves that.
        const isMoved = target.seq !== position.seq || target.rev !== (position.rev ?? target.rev);
        assertFeedOpen();
        if (!isMoved) await feed.changed(signal);
        position = advanced(position, target);
        feed.observeHead(target);
      } else if (!isCaughtUp && head && position.seq >= head.seq && (position.rev ?? head.rev) >= head.rev) {
        isCaughtUp = true;
        yield { kind: 'caught-up', position };
      } else if (
        step === 'at-head' &&
        isCaughtUp &&
        onLive &&
        deduplicator.isEmpty &&
        // Neither before the head, nor beyond what the feed has received.
        isSamePosition(position, advanced(position, feed.head))
      ) {
        session.isHandedOff = true;
        onLive(new LiveReader(request, epoch, attachment, reader.checkedSeq, position));
        return;
      } else if (step === 'at-head') await feed.changed(signal);
      else {
        const { events, end, accessEnd } = portionOf(step, position, reader);
        for (const event of events) {
          assertFeedOpen();
          if (deduplicator.isNew(event, step.to)) yield event;
        }
        assertFeedOpen();
        if (accessEnd) throw readForbidden();
        position = end;
      }
    }
  }

  return { open, follow };
}

/** Releases the session's feed, unless it was handed off with the reader. */
export function leave({ isHandedOff, attachment }: Session): void {
  if (!isHandedOff) attachment.release();
}
