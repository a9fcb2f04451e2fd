import { sql } from 'drizzle-orm';
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
import { MESSAGE_TYPES } from '../domain/message.js';
import { ROOM_KINDS } from '../domain/room.js';

const bytea = customType<{ data: Buffer }>({ dataType: () => 'bytea' });

/**
 * Whole milliseconds in UTC: what a JavaScript Date and a cursor hold, so that no microsecond tells two rows apart
 * in the database that are equal everywhere else.
 */
const instant = <Name extends string>(name: Name) =>
  timestamp(name, { precision: 3, withTimezone: true, mode: 'date' });

export const roomKind = pgEnum('room_kind', ROOM_KINDS);
export const messageType = pgEnum('message_type', MESSAGE_TYPES);

/** Facts about this database as a whole: `epoch`, and the server that it was made for. */
export const meta = pgTable('meta', {
  key: text('key').primaryKey(),
  value: text('value').notNull(),
});

/** The release of each SQL function that this database has: see `functions.ts`. */
export const functionReleases = pgTable('function_releases', {
  name: text('name').primaryKey(),
  release: integer('release').notNull(),
});

export const users = pgTable(
  'users',
  {
    id: uuid('id').primaryKey(),
    username: text('username').notNull(),
    /** The username as it is compared: see `usernameKey`. */
    usernameKey: text('username_key').notNull(),
    displayName: text('display_name').notNull(),
    avatarUrl: text('avatar_url'),
    passwordHash: text('password_hash').notNull(),
    createdAt: instant('created_at').notNull().defaultNow(),
  },
  (table) => [uniqueIndex('users_username_key').on(table.usernameKey)],
);

/** A room and, in the same row, its head: every write of the room locks this row first. */
export const rooms = pgTable(
  'rooms',
  {
    id: uuid('id').primaryKey(),
    kind: roomKind('kind').notNull(),
    name: text('name'),
    topic: text('topic'),
    memberCount: integer('member_count').notNull().default(0),
    /** The `seq` of the latest message; 0 in an empty room. */
    lastSeq: integer('last_seq').notNull().default(0),
    /** The `rev` of the latest durable change; 0 in an untouched room. */
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
    /** Whom it concerns: who joined, left or was removed. Null in TEXT. */
    subjectId: uuid('subject_id').references(() => users.id, { onDelete: 'set null' }),
    text: text('text').notNull(),
    revision: integer('revision').notNull().default(1),
    clientMessageId: text('client_message_id'),
    /** SHA-256 of the text as first sent: what a retry is compared with, whatever was edited since. */
    textHash: bytea('text_hash'),
    createdAt: instant('created_at').notNull(),
    /** When it was last changed; null where it never was. */
    changedAt: instant('changed_at'),
  },
  (table) => [
    primaryKey({ columns: [table.roomId, table.seq] }),
    uniqueIndex('messages_id').on(table.id),
    uniqueIndex('messages_by_rev').on(table.roomId, table.rev),
    // Changes of older messages are few beside what was added since.
    index('messages_changes').on(table.roomId, table.rev).where(sql`${table.revision} > 1`),
    uniqueIndex('messages_client_message_id')
      .on(table.roomId, table.authorId, table.clientMessageId)
      .where(sql`${table.clientMessageId} is not null`),
  ],
);
