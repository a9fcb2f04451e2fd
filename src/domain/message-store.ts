import type { RoomChanged } from './events.js';
import type { Message, MessageDraft } from './message.js';
import type { Range } from './page.js';
import type { Head } from './position.js';

/** One row of a batch of sends: what became of the draft. `not-found` hides a private room from those outside it. */
export type SendOutcome =
  | { readonly kind: 'sent' | 'repeated'; readonly message: Message }
  | { readonly kind: 'conflict'; readonly existingId: string }
  | { readonly kind: 'not-found' | 'not-a-member' };

/** A room's messages and the head they end at, read in one snapshot together with the reader's access. */
export interface MessageSnapshot {
  readonly head: Head;
  /** False: the room is public, and `messages` is empty because the reader is not in it. */
  readonly isMember: boolean;
  readonly messages: readonly Message[];
}

/** Which changes of older messages are read: `size` of those with `seq` at most this, after one `rev` up to another. */
export interface ChangeRange {
  readonly seq: number;
  /** Exclusive. */
  readonly after: number;
  /** Inclusive. */
  readonly upTo: number;
  readonly size: number;
}

/** What became of a change of a message. `not-found` hides a room from those outside it. */
export type EditOutcome =
  | { readonly kind: 'edited'; readonly change: RoomChanged }
  | { readonly kind: 'not-found' | 'not-author' };

export interface MessageStore {
  /**
   * Writes drafts for one room in their order, in one transaction under the room's lock.
   * A draft whose id is stored already counts as sent, so the whole call may be tried again after a lost connection.
   *
   * @throws InvalidDataError where the database refuses the data of some draft; nothing is stored then.
   */
  send(
    roomId: string,
    drafts: readonly MessageDraft[],
  ): Promise<{ outcomes: SendOutcome[]; change: RoomChanged | null }>;
  /** Changes the text of a message; only its author may, while they are a member. */
  edit(input: { roomId: string; messageId: string; editorId: string; text: string }): Promise<EditOutcome>;
  /** By `seq`. Null where there is no such room for the reader. */
  read(roomId: string, readerId: string, range: Range<number>): Promise<MessageSnapshot | null>;
  /** By `rev`: messages as they stand now, each by its latest change. Null where there is no such room for the reader. */
  readChanges(roomId: string, readerId: string, range: ChangeRange): Promise<MessageSnapshot | null>;
  /** Those of the messages whose room has the reader as a member. */
  findByIds(ids: readonly string[], readerId: string): Promise<Message[]>;
  /**
   * Messages that were sent or changed after `rev`, by `rev` and at most `limit`, and the head, in one snapshot.
   * Checks nobody's access.
   */
  readSince(
    roomId: string,
    rev: number,
    limit: number,
  ): Promise<{ head: Head; messages: readonly Message[] } | null>;
  /** A room's head, null where there is no such room, and the epoch that it is of, in one snapshot. */
  readHead(roomId: string): Promise<{ epoch: string; head: Head | null }>;
  /**
   * Those heads that are others than is known, in one snapshot, and null for a room that is gone; with the epoch, and
   * whether the data stand on another server or timeline than the epoch was made on.
   */
  readHeads(known: readonly { readonly roomId: string; readonly head: Head }[]): Promise<{
    epoch: string;
    isMoved: boolean;
    heads: ReadonlyMap<string, Head | null>;
  }>;
}
