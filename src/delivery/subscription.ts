import { decodeMessageCursor, decodePositionCursor, type MessageCursor } from '../domain/cursor.js';
import { HistoryGapError, ServiceUnavailableError } from '../domain/errors.js';
import type { MessageEdge } from '../domain/message.js';
import type { Viewer } from '../domain/user.js';
import type { LiveReader, Request } from './live.js';
import { whenAvailable } from './replay.js';
import { type Delivery, type RoomEvent, toMessageEdge, toRoomEvent } from './room-event.js';
import { createSessions, leave, type Serving, type Session, type SessionServices } from './session.js';
import { createEventStream, type EventStream } from './stream.js';

const ENDED = new Error('The subscription has ended.');

export function createSubscriptions(services: SessionServices) {
  const { open, follow } = createSessions(services);

  /** Sessions one after the other: after a reset of the history, a reader of everything gets a gap and continues. */
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
          if (request.only === 'added' || !(error instanceof HistoryGapError)) throw error;
          leave(session);
          session = await whenAvailable(signal, () => open(serving, null));
          gap = error.reason;
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
        // With a reason, or each abort would make an error that nobody sees.
        controller.abort(ENDED);
        // If `next()` was never called, nothing else lets go of the feed.
        if (first) leave(first);
      },
    );
  }

  /**
   * Opens the first session at once, so that a client's mistake is reported before anything else. A database that is
   * away is no mistake: the stream waits for it.
   */
  async function subscribe<Event>(
    request: Request<Event>,
    after: MessageCursor | null,
  ): Promise<EventStream<Event>> {
    const controller = new AbortController();
    const serving = { request, signal: controller.signal };
    const first = await open(serving, after).catch((error: unknown) => {
      if (error instanceof ServiceUnavailableError) return null;
      throw error;
    });
    return streamOf(serving, controller, first, after);
  }

  return {
    /**
     * Every message of the room after the cursor, in `seq` order and each once; without a cursor, from now on.
     * "Now" is when the promise resolves: everything sent later is delivered.
     *
     * @throws BadUserInputError, ForbiddenError, HistoryGapError
     */
    async messages(viewer: Viewer, roomId: string, after: string | null): Promise<EventStream<MessageEdge>> {
      const cursor = after === null ? null : decodeMessageCursor(after, roomId, 'after');
      return subscribe({ viewer, roomId, only: 'added', toEvent: toMessageEdge }, cursor);
    },

    /**
     * Everything that happens in the room after the position; without one, from now on. A message that was changed
     * before is delivered once, as it is now. If the history does not reach back to the position, a gap is reported, and
     * what follows is live.
     *
     * @throws BadUserInputError, ForbiddenError
     */
    async events(viewer: Viewer, roomId: string, after: string | null): Promise<EventStream<RoomEvent>> {
      const cursor = after === null ? null : decodePositionCursor(after, roomId, 'after');
      return subscribe({ viewer, roomId, only: 'all', toEvent: toRoomEvent }, cursor);
    },

    /**
     * Continues the stream of a reader that was handed over, from its position, and takes its hold on the feed back.
     * The stream itself finds out whether the reader was slow, has lost access, or must be reset.
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
        isHandedOver: false,
      };
      return streamOf({ request, signal }, controller, session, null);
    },
  };
}

export type Subscriptions = ReturnType<typeof createSubscriptions>;
