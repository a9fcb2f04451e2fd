import type { Message } from './message.js';
import type { Head, Position } from './position.js';

/** What happened to a message, as it stands now, and where a reader is who has seen this and all before it. */
export interface MessageEvent {
  /** `added`: the next of the sequence. `changed`: one that stood there already. */
  readonly kind: 'added' | 'changed';
  readonly message: Message;
  readonly position: Position;
}

/**
 * What instances tell each other of a room, after the commit and never before: the only kind of event on the bus.
 * It is a doorbell. Whoever misses it finds the same in the database within a tick.
 */
export interface RoomChanged {
  readonly roomId: string;
  /** The history that the room is of, so that nothing is spliced across a restored backup. */
  readonly epoch: string;
  /** The room's head as of the commit. */
  readonly head: Head;
  /** The rows of the commit by ascending `rev`; empty where they were too large to send, and must be fetched. */
  readonly messages: readonly Message[];
}
