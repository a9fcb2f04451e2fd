import { getTableColumns, sql } from 'drizzle-orm';
import { messages, rooms, users } from './tables.js';

// Columns of a message, a room and a user that queries select: all columns of the table, except those that never leave
// storage.

export const { textHash: _textHash, ...messageColumns } = getTableColumns(messages);
export const {
  usernameKey: _usernameKey,
  usernameSkeleton: _usernameSkeleton,
  passwordHash: _passwordHash,
  deletedAt: _deletedAt,
  ...userColumns
} = getTableColumns(users);
const { lastSeq: _lastSeq, lastRev: _lastRev, ...columnsOfRoom } = getTableColumns(rooms);
const { lastActivityAt: listedAt } = columnsOfRoom;

/**
 * The time of the newest message, or of the creation of a room without messages. Written out: Drizzle leaves out the tables
 * of columns in a query of one table.
 */
const lastActivityAt = sql<Date>`greatest(rooms.last_activity_at, (
  select newest.created_at from messages as newest where newest.room_id = rooms.id order by newest.seq desc limit 1
))`.mapWith(listedAt);

export const roomColumns = { ...columnsOfRoom, listedAt, lastActivityAt };
/** Of a room that was just created, and so has no messages. */
export const newRoomColumns = columnsOfRoom;
