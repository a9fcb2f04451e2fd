import type { RoomChanged } from '../events.js';
import type { RoomAccess } from '../memberships.js';
import type { Range } from '../page.js';
import type { Head } from '../position.js';
import type { Message, MessageDraft } from './message.js';

/**
 * The outcome of one draft. `not-found` also hides a private room from users who are not in it. `full`: the room takes no
 * more messages.
 */
export type SendOutcome =
  | { readonly kind: 'sent' | 'repeated'; readonly message: Message }
  | { readonly kind: 'conflict'; readonly existingId: string }
  | { readonly kind: 'not-found' | 'not-a-member' | 'full' };

/** What a call of `send` has stored: one outcome per draft, and the change to publish; null if nothing was stored. */
export interface Sent {
  readonly outcomes: readonly SendOutcome[];
  readonly change: RoomChanged | null;
}

export interface RoomDrafts {
  readonly roomId: string;
  readonly drafts: readonly MessageDraft[];
}

/** Messages of a room with their authors, and its head, all read in one snapshot. */
export interface RoomMessages {
  readonly head: Head;
  readonly messages: readonly Message[];
}

/** The same, and who may read them. */
export interface MessageSnapshot extends RoomMessages {
  readonly isPublic: boolean;
  /** Those of the readers who are members. If there are none, `messages` is empty. */
  readonly memberIds: ReadonlySet<string>;
}

/** A head, and the id of its message; null if that is not known, or if the room is empty. */
export interface NamedHead {
  readonly head: Head;
  readonly newestId: string | null;
}

/** Selects changes of messages up to `seq`: at most `size` of them, with a `rev` in the given range. */
export interface ChangeRange {
  readonly seq: number;
  /** Exclusive. */
  readonly after: number;
  /** Inclusive. */
  readonly upTo: number;
  readonly size: number;
}

/**
 * The outcome of an edit. `not-found` also hides a room from users who are not in it. `full`: the room or the message
 * takes no more changes.
 */
export type EditOutcome =
  | { readonly kind: 'edited'; readonly change: RoomChanged }
  | { readonly kind: 'not-found' | 'not-author' | 'full' };

export interface MessageStore {
  /**
   * Stores drafts for one room in their order, in one transaction that locks the room. A draft whose id is stored already
   * counts as sent, so the whole call can be retried after a lost connection.
   *
   * @returns one outcome per draft, in the same order.
   * @throws InvalidDataError if the database rejects the data of a draft. Nothing is stored then.
   */
  send(roomId: string, drafts: readonly MessageDraft[]): Promise<Sent>;
  /**
   * Stores drafts for several rooms, in one transaction that waits for no room: `busy` if another transaction writes to it.
   *
   * @throws InvalidDataError, as `send` does. Nothing is stored in any room then.
   */
  sendToRooms(rooms: readonly RoomDrafts[]): Promise<readonly (Sent | 'busy')[]>;
  /** Changes the text of a message. Only its author may do so, and only as a member of the room. */
  edit(input: { roomId: string; messageId: string; editorId: string; text: string }): Promise<EditOutcome>;
  /** Reads messages by `seq`, for all who want the same. Null if the room does not exist. */
  read(roomId: string, readerIds: readonly string[], range: Range<number>): Promise<MessageSnapshot | null>;
  /** Reads changed messages in their current state, by `rev`. Null if the room does not exist. */
  readChanges(
    roomId: string,
    readerIds: readonly string[],
    range: ChangeRange,
  ): Promise<MessageSnapshot | null>;
  /** Returns those of the messages that are in rooms of which the reader is a member. */
  findByIds(ids: readonly string[], readerId: string): Promise<Message[]>;
  /**
   * Reads messages that were added or changed after a `rev` of each room, by `rev` and at most `limit` of each, in one
   * snapshot. Does not check access. Rooms that do not exist are missing in the result.
   */
  readSince(
    rooms: readonly { readonly roomId: string; readonly rev: number; readonly limit: number }[],
  ): Promise<ReadonlyMap<string, RoomMessages>>;
  /** The id of the message that has this `seq`; null if there is none. Does not check access. */
  findId(roomId: string, seq: number): Promise<string | null>;
  /** Reads the epoch, and what each user may see of a room with its head, in one snapshot; null for missing rooms. */
  readAccess(
    pairs: readonly { readonly roomId: string; readonly userId: string }[],
  ): Promise<{ epoch: string; found: readonly (RoomAccess | null)[] }>;
  /** Reads the epoch and the heads of rooms in one snapshot. Rooms that do not exist are missing in the result. */
  readHeads(roomIds: readonly string[]): Promise<{ epoch: string; heads: ReadonlyMap<string, NamedHead> }>;
  /**
   * Compares known heads with the database, in one snapshot. `heads` holds only those that differ, with null for a room that
   * no longer exists. A head is `replaced` if another message has its `seq`. `isMoved` is true if the data is on another
   * server or timeline than the one that the epoch was created on.
   */
  compareHeads(known: readonly (NamedHead & { readonly roomId: string })[]): Promise<{
    epoch: string;
    isMoved: boolean;
    heads: ReadonlyMap<string, Head | 'replaced' | null>;
  }>;
}
