import type { Head, RoomChanged } from './events.js';
import type { Message, MessageDraft } from './message.js';
import type { ListRange, Page, Range } from './page.js';
import type { Room, RoomKind } from './room.js';
import type { AccessToken, User, Viewer } from './user.js';

/*
 * What the domain needs from outside. `storage`, `bus` and `auth` implement these; only `app.ts` sees both sides.
 * Every method of a store throws ServiceUnavailableError where the database is away.
 */

export interface UserStore {
  /** Null where the username is taken, in any letter case. */
  create(user: {
    id: string;
    username: string;
    displayName: string;
    passwordHash: string;
  }): Promise<User | null>;
  findByUsername(username: string): Promise<{ user: User; passwordHash: string } | null>;
  findByIds(ids: readonly string[]): Promise<User[]>;
  update(id: string, change: { displayName?: string; avatarUrl?: string | null }): Promise<User>;
}

export interface RoomStore {
  /** Stores a room and its creator's membership. */
  create(room: {
    id: string;
    kind: RoomKind;
    name: string;
    topic: string | null;
    creatorId: string;
  }): Promise<Room>;
  /** Stores a public room without members, or renames it where it is there. */
  ensurePublic(room: { id: string; name: string }): Promise<void>;
  /** Null where there is no such room for the user; `change` where they were no member before. */
  join(input: { roomId: string; userId: string; messageId: string }): Promise<{
    room: Room;
    change: RoomChanged | null;
  } | null>;
  /**
   * Ends a membership, by the person themselves or by another. Null where they were no member.
   * Who may remove whom is not decided here.
   */
  removeMember(input: {
    roomId: string;
    userId: string;
    actorId: string;
    messageId: string;
  }): Promise<RoomChanged | null>;
  /** Checks nobody's access. */
  findByIds(ids: readonly string[]): Promise<Room[]>;
  /** Those of the rooms that the user may see, with whether they are a member. */
  findVisible(ids: readonly string[], userId: string): Promise<{ room: Room; isMember: boolean }[]>;
  listPublic(range: ListRange): Promise<Page<Room>>;
  listJoined(userId: string, range: ListRange): Promise<Page<Room>>;
}

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

/** The epoch of the database: which history of all rooms it holds. */
export interface EpochStore {
  /** Makes a new one where the data stands on another server or timeline than it was made on. */
  check(): Promise<void>;
  /** Makes a new one, unless another than `known` was made meanwhile. */
  renew(known: string): Promise<void>;
}

/**
 * Tells other instances what changed. A doorbell: it never throws and loses what it must, since the tick finds it.
 */
export interface Bus {
  publish(change: RoomChanged): void;
  /**
   * Hears of a room's changes; several listeners on one room get each event once each.
   * A listener must not throw.
   *
   * `confirmed` resolves once nothing published from then on is missed; it may take as long as Redis is away. It
   * resolves, too, where the room's last listener leaves before that, or the bus is closed. It never rejects.
   */
  subscribe(
    roomId: string,
    listener: (change: RoomChanged) => void,
  ): { readonly confirmed: Promise<void>; unsubscribe(): void };
  /** Calls back whenever all subscriptions were confirmed anew after the bus was away, or had refused some of them. */
  onRecovered(listener: () => void): void;
  /** Whether events flow at the moment: both ways, and for every room that is listened to. */
  isReady(): boolean;
  /** Counted since the start of the process. */
  readonly counters: BusCounters;
  close(): Promise<void>;
}

/** What the bus survived. Each costs at most the second until the tick, and no message. */
export interface BusCounters {
  /** Came over the bus and could not be read: not an envelope of ours. */
  droppedEnvelopes: number;
  /** Answers with which Redis refused channels; a channel counts again each time that it is tried again. */
  refusedSubscribes: number;
  /** Changes that this instance could not tell the others: Redis away, refusing, or too slow. */
  unpublished: number;
  /** Connections that were torn down because nothing came over them any more. */
  timeouts: number;
  /** Connections that stood again after they had been lost. */
  reconnects: number;
  /** Of another history than ours: our database was restored, or another deployment uses our channels. */
  foreignEvents: number;
}

/** Hashes with Argon2id, off the event loop. */
export interface PasswordHasher {
  hash(password: string): Promise<string>;
  /** False for a null hash too, after the same work: no one learns from the time whether a user exists. */
  verify(hash: string | null, password: string): Promise<boolean>;
}

export interface TokenIssuer {
  issue(viewer: Viewer): Promise<AccessToken>;
}

/** What is limited. Per what (a person, an address) is the caller's choice of key. */
export type LimitedAction =
  | 'signUp'
  | 'loginByAddress'
  | 'loginByUsername'
  | 'findUser'
  | 'updateProfile'
  | 'createRoom'
  | 'joinRoom'
  | 'sendMessage';

export interface RateLimiter {
  /** @throws RateLimitedError where the key has used its share of the window up. */
  consume(action: LimitedAction, key: string): Promise<void>;
  reset(action: LimitedAction, key: string): Promise<void>;
}

/** For what an operator should know. */
export interface Log {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}
