import type { DeliveryCounters } from '../domain/counters.js';
import { decodeMessageCursor, decodePositionCursor, type MessageCursor } from '../domain/cursor.js';
import { HistoryGapError, ServiceUnavailableError } from '../domain/errors.js';
import type { History } from '../domain/history.js';
import type { MessageEdge } from '../domain/message/message.js';
import type { MessageStore } from '../domain/message/store.js';
import type { Profiles } from '../domain/recent/profiles.js';
import type { Viewer } from '../domain/user.js';
import { createAccessReader } from './access.js';
import type { Feeds } from './feed/feeds.js';
import type { LiveReader, SubscriptionRequest } from './live.js';
import { createReplays } from './replay/replay.js';
import { whenAvailable } from './retry.js';
import { createToEvents, type Delivery, type RoomEvent } from './room-event.js';
import { createSessions, leave, type Serving, type Session } from './session.js';
import { createEventStream, type EventStream } from './stream.js';

/** One shared reason, since `abort()` without a reason would create an error for each subscription. */
const SUBSCRIPTION_ENDED = new Error('The subscription has ended.');

export interface SubscriptionServices {
  readonly messages: Pick<MessageStore, 'read' | 'readChanges' | 'readAccess'>;
  readonly feeds: Feeds;
  readonly history: History;
  readonly profiles: Profiles;
  readonly counters?: DeliveryCounters;
}

/** Who subscribes, and to what. */
export interface Subscriber {
  readonly viewer: Viewer;
  readonly roomId: string;
  /** The cursor to start after; null for now. */
  readonly after: string | null;
  /** Whether the client has gone away, which ends a wait for the database. */
  readonly isGone: () => boolean;
}

export function createSubscriptions({ messages, profiles, ...services }: SubscriptionServices) {
  const { toMessageEdge, toRoomEvent } = createToEvents(profiles);
  const replays = createReplays(messages);
  const { open, follow } = createSessions({ ...services, readAccess: createAccessReader(messages), replays });

  /** Runs one session after the other: after an epoch reset, a reader of all events receives a gap and continues. */
  async function* deliveries<Event>(
    serving: Serving<Event>,
    first: Session | null,
    after: MessageCursor | null,
  ): AsyncGenerator<Event, void, void> {
    const { request, signal } = serving;
    let session = first ?? (await whenAvailable(signal, () => open(serving, after)));
    try {
      for (let { gap } = session; ; ) {
        if (gap) yield* eventsOf({ kind: 'gap', reason: gap, position: session.start });
        try {
          for await (const delivery of follow(session, serving)) yield* eventsOf(delivery);
          return;
        } catch (error) {
          // Once the feed has ended, whatever else went wrong is a consequence.
          const cause = session.attachment.feed.failure ?? error;
          if (request.scope === 'added' || !(cause instanceof HistoryGapError)) throw cause;
          leave(session);
          session = await whenAvailable(signal, () => open(serving, null));
          gap = cause.reason;
        }
      }
    } finally {
      leave(session);
    }

    function* eventsOf(delivery: Delivery): Generator<Event> {
      const event = request.toEvent(delivery, request.roomId, session.epoch);
      if (event !== null) yield event;
    }
  }

  function streamOf<Event>(
    serving: Serving<Event>,
    controller: AbortController,
    first: Session | null,
    after: MessageCursor | null,
  ): EventStream<Event> {
    return createEventStream(
      deliveries(serving, first, after),
      (onLive) => {
        serving.onLive = onLive;
      },
      () => {
        controller.abort(SUBSCRIPTION_ENDED);
        // If `next()` was never called, nothing else releases the feed.
        if (first) leave(first);
      },
    );
  }

  /**
   * Opens the first session at once, so that an invalid request fails before the stream exists. An unavailable database does
   * not fail it: with a cursor, the stream waits for the database; without one, nobody knows yet where it starts, so the
   * promise waits.
   */
  async function subscribe<Event>(
    request: SubscriptionRequest<Event>,
    after: MessageCursor | null,
    isGone: () => boolean,
  ): Promise<EventStream<Event>> {
    const controller = new AbortController();
    const { signal } = controller;
    const serving = { request, signal };
    if (after === null) {
      const first = await whenAvailable(signal, () => {
        if (isGone()) controller.abort(new ServiceUnavailableError());
        signal.throwIfAborted();
        return open(serving, null);
      });
      return streamOf(serving, controller, first, null);
    }
    const first = await open(serving, after).catch((error: unknown) => {
      if (error instanceof ServiceUnavailableError) return null;
      throw error;
    });
    return streamOf(serving, controller, first, after);
  }

  return {
    /**
     * Delivers every message of the room after the cursor, once and in `seq` order. Without a cursor, it starts when the
     * promise resolves: everything sent later is delivered.
     *
     * @throws BadUserInputError, ForbiddenError, HistoryGapError
     */
    async messages({ viewer, roomId, after, isGone }: Subscriber): Promise<EventStream<MessageEdge>> {
      const cursor = after === null ? null : decodeMessageCursor(after, roomId, 'after');
      return subscribe({ viewer, roomId, scope: 'added', toEvent: toMessageEdge }, cursor, isGone);
    },

    /**
     * Delivers everything that happens in the room after the position; without one, from now on. A message that was changed
     * in between is delivered once, in its current state. If the history after the position is not available, a gap is
     * reported, and what follows is live.
     *
     * @throws BadUserInputError, ForbiddenError
     */
    async events({ viewer, roomId, after, isGone }: Subscriber): Promise<EventStream<RoomEvent>> {
      const cursor = after === null ? null : decodePositionCursor(after, roomId, 'after');
      return subscribe({ viewer, roomId, scope: 'all', toEvent: toRoomEvent }, cursor, isGone);
    },

    /**
     * Resumes the stream of a reader that was handed off, from its position, and takes its hold on the feed back. The
     * stream itself detects a reader that is behind, has lost access or has to be reset.
     */
    resume({ request, epoch, checkedSeq, attachment, position }: LiveReader): EventStream<unknown> {
      const controller = new AbortController();
      const { signal } = controller;
      const { viewer, roomId } = request;
      const session: Session = {
        epoch,
        reader: { roomId, userId: viewer.userId, signal, checkedSeq },
        attachment,
        head: null,
        start: position,
        gap: null,
        isHandedOff: false,
      };
      return streamOf({ request, signal }, controller, session, null);
    },

    /** Approximate size of the pages that readers go through, in bytes. */
    get heldBytes() {
      return replays.heldBytes;
    },
  };
}

export type Subscriptions = ReturnType<typeof createSubscriptions>;
