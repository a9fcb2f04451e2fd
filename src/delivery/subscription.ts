import {
  decodeMessageCursor,
  decodePositionCursor,
  encodeMessageCursor,
  gapBefore,
  type MessageCursor,
} from '../domain/cursor.js';
import {
  HistoryGapError,
  type HistoryGapReason,
  notAReader,
  roomNotFound,
  ServiceUnavailableError,
} from '../domain/errors.js';
import type { MessageEvent } from '../domain/events.js';
import type { History } from '../domain/history.js';
import { endsMembershipOf, type Message, type MessageEdge, messageEdge } from '../domain/message.js';
import type { MessageStore } from '../domain/message-store.js';
import type { Head, Position } from '../domain/position.js';
import type { Viewer } from '../domain/user.js';
import { type Deliveries, endable } from './deliveries.js';
import type { Attachment, Feeds } from './feeds.js';
import { type Live, LiveReader } from './live.js';
import { createReplays, type NewsFilter, newsFilter, type Reader, whenAvailable } from './replay.js';

export interface SubscriptionServices {
  readonly messages: Pick<MessageStore, 'read' | 'readChanges'>;
  readonly feeds: Feeds;
  readonly history: History;
}

interface RoomEventFields {
  /** Resumes from here. */
  readonly cursor: string;
  readonly roomId: string;
  readonly occurredAt: Date;
}

/** What happens in a room, for a client that keeps all of it in step. */
export type RoomEvent = RoomEventFields &
  (
    | { readonly kind: 'added'; readonly edge: MessageEdge }
    | { readonly kind: 'changed'; readonly message: Message }
    /** All before it has been delivered: what follows is live. Once a subscription, and again after a gap. */
    | { readonly kind: 'caught-up' }
    /** What lies before it can't be told: the client fetches a page. */
    | { readonly kind: 'gap'; readonly reason: HistoryGapReason }
  );

type Delivery =
  | MessageEvent
  | { readonly kind: 'caught-up'; readonly position: Position }
  | { readonly kind: 'gap'; readonly position: Position; readonly reason: HistoryGapReason };

/** A delivery as subscriptions of one kind tell it, of which room and history; null where they do not. */
type ToEvent<Event> = (delivery: Delivery, roomId: string, epoch: string) => Event | null;

/** What a subscription was asked for. */
interface Request {
  readonly viewer: Viewer;
  readonly roomId: string;
  /** Null: from now on. */
  readonly after: MessageCursor | null;
  /** Only added messages, or also what becomes of older ones. */
  readonly only: 'added' | 'all';
  readonly signal: AbortSignal;
  /** Serves the reader, with others, once they have everything so far; has them begin where they were given back. */
  readonly live: Live | undefined;
}

/** A reader at a room's feed, as of the moment when their access was checked. */
interface Session {
  /** The history that all of it is of. */
  readonly epoch: string;
  readonly reader: Reader;
  readonly attachment: Attachment;
  /** Who is there has caught up; null where they had before. */
  readonly head: Head | null;
  readonly start: Position;
  /** Why the reader starts at the head instead of where they asked to. */
  readonly gap: HistoryGapReason | null;
  /** Whether the reader was taken over, with the attachment. */
  isLive: boolean;
}

const ENDED = new Error('The subscription has ended.');

/** For readers of added messages alone: those come once. */
const ALL_IS_NEWS: NewsFilter = { isNews: () => true, isIdle: true };

export function createSubscriptions({ messages, feeds, history }: SubscriptionServices) {
  const replays = createReplays(messages);

  /** @throws BadUserInputError, ForbiddenError, ServiceUnavailableError; HistoryGapError where only messages count. */
  async function open({ viewer, roomId, after, only, signal }: Request): Promise<Session> {
    for (;;) {
      const { epoch } = history;
      const reader = { roomId, userId: viewer.userId, signal, checkedSeq: 0 };
      // First of all: who may not read the room has no feed of it opened either.
      const head = await replays.head(reader);
      const gap = after && gapBefore(after, epoch, head);
      if (gap && only === 'added') throw new HistoryGapError(gap);
      const attachment = await feeds.attach(roomId);
      if (!attachment) throw roomNotFound();
      const { seq, rev } = gap ? head : (after ?? head);
      const start = { seq, rev: only === 'added' ? null : rev };
      if (!signal.aborted && history.epoch === epoch)
        return { epoch, reader, attachment, head, start, gap, isLive: false };
      attachment.release();
      signal.throwIfAborted();
    }
  }

  /** Goes on with a reader who is given back. */
  function reopen({ roomId, signal }: Request, reader: LiveReader): Session {
    const { epoch, userId, checkedSeq, attachment, position: start } = reader;
    return {
      epoch,
      reader: { roomId, userId, signal, checkedSeq },
      attachment,
      head: null,
      start,
      gap: null,
      isLive: false,
    };
  }

  /**
   * Replay, cut over, live. While the feed holds the reader's position they are served from it; else the database
   * tells what is missing, up to a target that does not move, and then the feed is asked again. The position alone
   * decides what comes next, so nothing is skipped or repeated wherever an event came from. Ends where the reader is
   * taken over.
   */
  async function* follow(
    session: Session,
    live: Live | undefined,
    toEvent: ToEvent<unknown>,
  ): AsyncGenerator<Delivery, void, void> {
    const { epoch, reader, attachment, head, start } = session;
    const { feed } = attachment;
    const { userId, signal } = reader;
    /** At every place where time may have passed: what comes after the end of the feed is of another history. */
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
        // The feed and the database contradict each other, which the next tick tells the feed.
        const isMoved = target.seq !== position.seq || target.rev !== (position.rev ?? target.rev);
        if (!isMoved) await feed.changed(signal);
        position = { ...target, rev: position.rev === null ? null : target.rev };
        feed.reach(target);
      } else if (!isCaughtUp && head && position.seq >= head.seq && (position.rev ?? head.rev) >= head.rev) {
        isCaughtUp = true;
        yield { kind: 'caught-up', position };
      } else if (step === 'at-head' && isCaughtUp && live && news.isIdle && isAt(feed.head, position)) {
        session.isLive = true;
        live.follow(new LiveReader(toEvent, epoch, attachment, userId, reader.checkedSeq, position));
        return;
      } else if (step === 'at-head') await feed.changed(signal);
      else {
        const removal = step.events.find((event) => endsAccess(reader, event))?.message;
        for (const event of step.events) {
          assertAlive();
          if (event.message === removal) throw notAReader();
          // In a block, also what was changed after the removal stands before it.
          if (removal && event.message.rev > removal.rev) continue;
          const isPast = event.kind === 'added' && event.message.seq <= position.seq;
          if (!isPast && news.isNews(event, step.to)) yield event;
        }
        position = { ...step.to, rev: position.rev === null ? null : step.to.rev };
      }
    }
  }

  /** Sessions one after the other: where the history was reset, a reader of everything is told so and goes on. */
  async function* deliveries<Event>(
    request: Request,
    first: Session | null,
    toEvent: ToEvent<Event>,
  ): AsyncGenerator<Event, void, void> {
    let session = first ?? (await whenAvailable(request.signal, () => open(request)));
    try {
      for (let { gap } = session; ; ) {
        if (gap) yield* tell({ kind: 'gap', reason: gap, position: session.start });
        try {
          for await (const delivery of follow(session, request.live, toEvent)) yield* tell(delivery);
          return;
        } catch (error) {
          if (request.only === 'added' || !(error instanceof HistoryGapError)) throw error;
          leave(session);
          session = await whenAvailable(request.signal, () => open({ ...request, after: null }));
          gap = error.reason;
        }
      }
    } finally {
      leave(session);
    }

    function* tell(delivery: Delivery): Generator<Event> {
      const event = toEvent(delivery, request.roomId, session.epoch);
      if (event !== null) yield event;
    }
  }

  /**
   * Starts at once, so that a mistake of the client's is told before anything else. While the database is away there
   * is nothing to tell: the subscription waits for it.
   */
  async function subscribe<Event>(
    request: Omit<Request, 'signal'>,
    toEvent: ToEvent<Event>,
  ): Promise<Deliveries<Event>> {
    const end = new AbortController();
    const whole = { ...request, signal: end.signal };
    const back = request.live?.takeBack();
    const first = back
      ? reopen(whole, back)
      : await open(whole).catch((error: unknown) => {
          if (error instanceof ServiceUnavailableError) return null;
          throw error;
        });
    return endable(deliveries(whole, first, toEvent), () => {
      // With a reason, or each time an error is made that nobody sees.
      end.abort(ENDED);
      // Where nobody has called `next()` yet, nothing else does.
      if (first) leave(first);
    });
  }

  return {
    /**
     * Every message of the room after the cursor, in `seq` order and each once; without a cursor, from now on.
     * `now` is when the promise resolves: all sent later is delivered.
     *
     * @throws BadUserInputError, ForbiddenError, HistoryGapError
     */
    async messages(
      viewer: Viewer,
      roomId: string,
      after: string | null,
      live?: Live,
    ): Promise<Deliveries<MessageEdge>> {
      const cursor = after === null ? null : decodeMessageCursor(after, roomId, 'after');
      return subscribe({ viewer, roomId, after: cursor, only: 'added', live }, toMessageEdge);
    },

    /**
     * All that happens in the room after the position; without one, from now on. What was changed before is told once,
     * as it stands now. Where the history does not reach the position, a gap is told, and what follows is live.
     *
     * @throws BadUserInputError, ForbiddenError
     */
    async events(
      viewer: Viewer,
      roomId: string,
      after: string | null,
      live?: Live,
    ): Promise<Deliveries<RoomEvent>> {
      const cursor = after === null ? null : decodePositionCursor(after, roomId, 'after');
      return subscribe({ viewer, roomId, after: cursor, only: 'all', live }, toRoomEvent);
    },
  };
}

export type Subscriptions = ReturnType<typeof createSubscriptions>;

function toMessageEdge(delivery: Delivery, _roomId: string, epoch: string): MessageEdge | null {
  return delivery.kind === 'added' ? messageEdge({ epoch }, delivery.message) : null;
}

function toRoomEvent(delivery: Delivery, roomId: string, epoch: string): RoomEvent {
  const at = { roomId, cursor: encodeMessageCursor({ roomId, epoch, ...delivery.position }) };
  switch (delivery.kind) {
    case 'added': {
      const { message } = delivery;
      return { ...at, kind: 'added', occurredAt: message.createdAt, edge: messageEdge({ epoch }, message) };
    }
    case 'changed': {
      const { message } = delivery;
      return { ...at, kind: 'changed', occurredAt: message.changedAt ?? message.createdAt, message };
    }
    case 'caught-up':
      return { ...at, kind: 'caught-up', occurredAt: new Date() };
    case 'gap':
      return { ...at, kind: 'gap', occurredAt: new Date(), reason: delivery.reason };
  }
}

/** Lets go of the feed, unless somebody else has taken that over. */
function leave({ isLive, attachment }: Session): void {
  if (!isLive) attachment.release();
}

/** Whether a reader is there: not before, and not where the feed has yet to get. */
function isAt(head: Head, { seq, rev }: Position): boolean {
  return seq === head.seq && (rev === null || rev === head.rev);
}

/** A membership that ended after the reader's was last checked. Older ends were followed by another beginning. */
function endsAccess({ checkedSeq, userId }: Reader, { message }: MessageEvent): boolean {
  return message.seq > checkedSeq && endsMembershipOf(userId, message);
}
