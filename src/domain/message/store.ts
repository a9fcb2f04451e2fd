import type { RoomChanged } from '../events.js';
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

/** Messages of a room, its head and the reader's access, all read in one snapshot. */
export interface MessageSnapshot {
  readonly head: Head;
  /** If false, the room is public and `messages` is empty because the reader is not a member. */
  readonly isMember: boolean;
  readonly messages: readonly Message[];
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
   * @returns one outcome per draft, in the same order, and the change to publish; null if nothing was stored.
   * @throws InvalidDataError if the database rejects the data of a draft. Nothing is stored then.
   */
  send(
    roomId: string,
    drafts: readonly MessageDraft[],
  ): Promise<{ outcomes: SendOutcome[]; change: RoomChanged | null }>;
  /** Changes the text of a message. Only its author may do so, and only as a member of the room. */
  edit(input: { roomId: string; messageId: string; editorId: string; text: string }): Promise<EditOutcome>;
  /** Reads messages by `seq`. Null if the room does not exist for the reader. */
  read(roomId: string, readerId: string, range: Range<number>): Promise<MessageSnapshot | null>;
  /** Reads changed messages in their current state, by `rev`. Null if the room does not exist for the reader. */
  readChanges(roomId: string, readerId: string, range: ChangeRange): Promise<MessageSnapshot | null>;
  /** Returns those of the messages that are in rooms of which the reader is a member. */
  findByIds(ids: readonly string[], readerId: string): Promise<Message[]>;
  /**
   * Reads messages that were added or changed after `rev`, by `rev` and at most `limit`, and the head, in one snapshot. Does
   * not check access. Null if the room does not exist.
   */
  readSince(
    roomId: string,
    rev: number,
    limit: number,
  ): Promise<{ head: Head; messages: readonly Message[] } | null>;
  /** The id of the message that has this `seq`; null if there is none. Does not check access. */
  findId(roomId: string, seq: number): Promise<string | null>;
  /** Reads the epoch and the room's head in one snapshot; `head` is null if the room does not exist. */
  readHead(roomId: string): Promise<{ epoch: string; head: Head | null }>;
  /**
   * Compares known heads with the database, in one snapshot. `heads` holds only those that differ, with null for a room that
   * no longer exists. `isMoved` is true if the data is on another server or timeline than the one that the epoch was
   * created on.
   */
  readHeads(known: readonly { readonly roomId: string; readonly head: Head }[]): Promise<{
    epoch: string;
    isMoved: boolean;
    heads: ReadonlyMap<string, Head | null>;
  }>;
}
