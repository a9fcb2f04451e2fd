import { encodeMessageCursor } from '../domain/cursor.js';
import type { HistoryGapReason } from '../domain/errors.js';
import type { MessageEvent } from '../domain/events.js';
import { type Message, type MessageEdge, messageEdge } from '../domain/message/message.js';
import type { Position } from '../domain/position.js';
import type { Profiles } from '../domain/recent/profiles.js';

/** A subscription's output: an event of the room, or a change of the stream itself. */
export type Delivery =
  | MessageEvent
  | { readonly kind: 'caught-up'; readonly position: Position }
  | { readonly kind: 'gap'; readonly position: Position; readonly reason: HistoryGapReason };

/** Turns a delivery into the event of one kind of subscription; null if that kind does not report it. */
export type ToEvent<Event> = (delivery: Delivery, roomId: string, epoch: string) => Event | null;

interface RoomEventFields {
  /** Resumes after this event. */
  readonly cursor: string;
  readonly roomId: string;
  readonly occurredAt: Date;
}

/** An event for a client that keeps a copy of the whole room up to date. */
export type RoomEvent = RoomEventFields &
  (
    | { readonly kind: 'added'; readonly edge: MessageEdge }
    | { readonly kind: 'changed'; readonly message: Message }
    /** Everything before it has been delivered; what follows is live. Once per subscription, and again after a gap. */
    | { readonly kind: 'caught-up' }
    /** The events before it cannot be delivered: the client fetches a page. */
    | { readonly kind: 'gap'; readonly reason: HistoryGapReason }
  );

/** How each kind of subscription turns a delivery into its event. */
export interface ToEvents {
  /** `messageAdded` reports added messages alone. */
  readonly toMessageEdge: ToEvent<MessageEdge>;
  /** `roomEvents` reports everything. */
  readonly toRoomEvent: ToEvent<RoomEvent>;
}

export function createToEvents(profiles: Profiles): ToEvents {
  return {
    toMessageEdge: (delivery, _roomId, epoch) =>
      delivery.kind === 'added' ? messageEdge({ epoch }, profiles.current(delivery.message)) : null,

    toRoomEvent(delivery, roomId, epoch) {
      const at = { roomId, cursor: encodeMessageCursor({ roomId, epoch, ...delivery.position }) };
      switch (delivery.kind) {
        case 'added': {
          const message = profiles.current(delivery.message);
          return {
            ...at,
            kind: 'added',
            occurredAt: message.createdAt,
            edge: messageEdge({ epoch }, message),
          };
        }
        case 'changed': {
          const message = profiles.current(delivery.message);
          return { ...at, kind: 'changed', occurredAt: message.changedAt ?? message.createdAt, message };
        }
        case 'caught-up':
          return { ...at, kind: 'caught-up', occurredAt: new Date() };
        case 'gap':
          return { ...at, kind: 'gap', occurredAt: new Date(), reason: delivery.reason };
      }
    },
  };
}
