import type { Message } from './message/message.js';
import type { Log } from './ports.js';
import type { Head, Position } from './position.js';

/** An addition or a change of a message, as a reader receives it. The message is in its current state. */
export interface MessageEvent {
  /** `added`: the message took the next `seq`. `changed`: an older message was changed. */
  readonly kind: 'added' | 'changed';
  readonly message: Message;
  /** The position of a reader who has seen this event and all events before it. */
  readonly position: Position;
}

/**
 * A committed change of a room, and the only kind of event on the bus. It is published after the commit and never before. An
 * instance that does not receive it finds the same rows in the database at the next tick.
 */
export interface RoomChanged {
  readonly roomId: string;
  /** The history that the room belongs to, so that events from before and after a restored backup are never mixed. */
  readonly epoch: string;
  /** The room's head as of the commit. */
  readonly head: Head;
  /** The committed rows by ascending `rev`, or a part of them; empty if they were too large to send and have to be fetched. */
  readonly messages: readonly Message[];
}

/**
 * Says that a room may have changed, without proof: the event is not signed, as those of the release before. Its content is
 * not used.
 */
export interface RoomHint {
  readonly roomId: string;
  readonly isHint: true;
}

/** What arrives on the bus. */
export type BusEvent = RoomChanged | RoomHint;

export function isHint(event: BusEvent): event is RoomHint {
  return 'isHint' in event;
}

/** Publishes a committed change to the subscribers of all instances. */
export type PublishChange = (change: RoomChanged) => void;

/**
 * Wraps `publish` so that it never throws: a change is stored even if publishing it fails, so its sender must not get an
 * error. Subscribers then receive it at the next tick.
 */
export function withErrorLogging(publish: PublishChange, log: Log): PublishChange {
  return (change) => {
    try {
      publish(change);
    } catch (error) {
      log.error(
        { error, roomId: change.roomId },
        'Could not publish a stored change: the next tick delivers it',
      );
    }
  };
}
