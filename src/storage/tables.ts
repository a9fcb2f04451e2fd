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

const xid8 = customType<{ data: string }>({ dataType: () => 'xid8' });
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
    /** When the account ended: see `functions/end_account.sql`. The row stays, so that nobody takes the username. */
    deletedAt: instant('deleted_at'),
  },
  (table) => [
    uniqueIndex('users_username_key').on(table.usernameKey),
    // Not unique: names of ASCII characters may look alike.
    index('users_username_skeleton').on(table.usernameSkeleton),
    index('users_without_skeleton').on(table.id).where(isNull(table.usernameSkeleton)),
  ],
);

/**
 * A room. Every write to it locks this row first; its head is that of its newest message and newest change. No message
 * changes the row, because a row that thousands of updates have changed is slow to find while somebody holds a snapshot
 * from before them, as `pg_dump` does.
 */
export const rooms = pgTable(
  'rooms',
  {
    id: uuid('id').primaryKey(),
    kind: roomKind('kind').notNull(),
    name: text('name'),
    topic: text('topic'),
    memberCount: integer('member_count').notNull().default(0),
    /** The head, for the release before 0.3, if the database has served it: see `functions/record_change.sql`. */
    lastSeq: integer('last_seq').notNull().default(0),
    lastRev: bigint('last_rev', { mode: 'number' }).notNull().default(0),
    createdAt: instant('created_at').notNull().defaultNow(),
    /** Lists are sorted by it. At most two seconds older than the newest message: see `functions/apply_activity.sql`. */
    lastActivityAt: instant('last_activity_at').notNull().defaultNow(),
  },
  (table) => [
    index('rooms_public_by_activity').on(table.lastActivityAt, table.id).where(sql`${table.kind} = 'PUBLIC'`),
  ],
);

/**
 * What has changed in the last minutes, so that each instance finds what is new to it without a look at every room. A row
 * stays for at least a minute.
 */
export const recentChanges = pgTable(
  'recent_changes',
  {
    /** The transaction: later ones may be committed earlier, so a reader starts at the oldest one that still runs. */
    xid: xid8('xid').notNull().default(sql`pg_current_xact_id()`),
    /** The room that was written to, its head, and the time of its newest message; null if a user was changed. */
    roomId: uuid('room_id'),
    seq: integer('seq'),
    rev: bigint('rev', { mode: 'number' }),
    at: instant('at').notNull(),
    /** The user whose profile was changed, or whose account has ended; null if a room was written to. */
    userId: uuid('user_id'),
  },
  (table) => [index('recent_changes_by_xid').on(table.xid)],
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
