import { isNull, sql } from 'drizzle-orm';
import {
  bigint,
  customType,
  index,
  integer,
  pgEnum,
  pgTable,
  primaryKey,
  text,
  timestamp,
  uniqueIndex,
  uuid,
} from 'drizzle-orm/pg-core';
import { MESSAGE_TYPES } from '../domain/message/message.js';
import { ROOM_KINDS } from '../domain/room.js';

const bytea = customType<{ data: Buffer }>({ dataType: () => 'bytea' });

/**
 * A time in whole milliseconds, as in a JavaScript Date and in a cursor. With microseconds, rows could differ in the
 * database that are equal everywhere else.
 */
const instant = <Name extends string>(name: Name) =>
  timestamp(name, { precision: 3, withTimezone: true, mode: 'date' });

export const roomKind = pgEnum('room_kind', ROOM_KINDS);
export const messageType = pgEnum('message_type', MESSAGE_TYPES);

/** Facts about the database as a whole: its `epoch`, and the `server` that the epoch was created on. */
export const meta = pgTable('meta', {
  key: text('key').primaryKey(),
  value: text('value').notNull(),
});

/** The release of each SQL function in this database: see `functions.ts`. */
export const functionReleases = pgTable('function_releases', {
  name: text('name').primaryKey(),
  release: integer('release').notNull(),
});

export const users = pgTable(
  'users',
  {
    id: uuid('id').primaryKey(),
    username: text('username').notNull(),
    /** The form in which usernames are compared: see `usernameKey`. */
    usernameKey: text('username_key').notNull(),
    /** What the username looks like: see `usernameSkeleton`. Null until it is written: see `skeletons.ts`. */
    usernameSkeleton: text('username_skeleton'),
    displayName: text('display_name').notNull(),
    avatarUrl: text('avatar_url'),
    passwordHash: text('password_hash').notNull(),
    createdAt: instant('created_at').notNull().defaultNow(),
  },
  (table) => [
    uniqueIndex('users_username_key').on(table.usernameKey),
    // Not unique: names of ASCII characters may look alike.
    index('users_username_skeleton').on(table.usernameSkeleton),
    index('users_without_skeleton').on(table.id).where(isNull(table.usernameSkeleton)),
  ],
);

/** A room and its head. Every write to the room locks this row first. */
export const rooms = pgTable(
  'rooms',
  {
    id: uuid('id').primaryKey(),
    kind: roomKind('kind').notNull(),
    name: text('name'),
    topic: text('topic'),
    memberCount: integer('member_count').notNull().default(0),
    /** The `seq` of the newest message; 0 in an empty room. */
    lastSeq: integer('last_seq').notNull().default(0),
    /** The `rev` of the newest durable change; 0 in a room without changes. */
    lastRev: bigint('last_rev', { mode: 'number' }).notNull().default(0),
    createdAt: instant('created_at').notNull().defaultNow(),
    lastActivityAt: instant('last_activity_at').notNull().defaultNow(),
  },
  (table) => [
    index('rooms_public_by_activity').on(table.lastActivityAt, table.id).where(sql`${table.kind} = 'PUBLIC'`),
  ],
);

export const members = pgTable(
  'members',
  {
    roomId: uuid('room_id')
      .notNull()
      .references(() => rooms.id, { onDelete: 'cascade' }),
    userId: uuid('user_id')
      .notNull()
      .references(() => users.id, { onDelete: 'cascade' }),
    joinedAt: instant('joined_at').notNull().defaultNow(),
  },
  (table) => [
    primaryKey({ columns: [table.roomId, table.userId] }),
    index('members_by_user').on(table.userId),
  ],
);

export const messages = pgTable(
  'messages',
  {
    id: uuid('id').notNull(),
    roomId: uuid('room_id')
      .notNull()
      .references(() => rooms.id, { onDelete: 'cascade' }),
    seq: integer('seq').notNull(),
    rev: bigint('rev', { mode: 'number' }).notNull(),
    type: messageType('type').notNull(),
    authorId: uuid('author_id').references(() => users.id, { onDelete: 'set null' }),
    /** The user who joined, left or was removed. Null in TEXT, and if the account is gone. */
    subjectId: uuid('subject_id').references(() => users.id, { onDelete: 'set null' }),
    text: text('text').notNull(),
    revision: integer('revision').notNull().default(1),
    clientMessageId: text('client_message_id'),
    /** SHA-256 of the text as first sent. A retry is compared with it, even if the message was edited since. */
    textHash: bytea('text_hash'),
    createdAt: instant('created_at').notNull(),
    /** The time of the last change; null if there was none. */
    changedAt: instant('changed_at'),
  },
  (table) => [
    primaryKey({ columns: [table.roomId, table.seq] }),
    uniqueIndex('messages_id').on(table.id),
    uniqueIndex('messages_by_rev').on(table.roomId, table.rev),
    // Only edited messages: few, compared with those added in the same range of `rev`.
    index('messages_changes').on(table.roomId, table.rev).where(sql`${table.revision} > 1`),
    uniqueIndex('messages_client_message_id')
      .on(table.roomId, table.authorId, table.clientMessageId)
      .where(sql`${table.clientMessageId} is not null`),
  ],
);
