import { getTableColumns } from 'drizzle-orm';
import { messages, rooms, users } from './tables.js';

// Columns of a message, a room and a user that queries select: all columns of the table, except those that never leave
// storage.

export const { textHash: _textHash, ...messageColumns } = getTableColumns(messages);
export const {
  usernameKey: _usernameKey,
  usernameSkeleton: _usernameSkeleton,
  passwordHash: _passwordHash,
  ...userColumns
} = getTableColumns(users);
const { lastSeq, lastRev, ...columnsOfRoom } = getTableColumns(rooms);
export const roomColumns = columnsOfRoom;
/** The newest `seq` and `rev` of a room. */
export const headColumns = { seq: lastSeq, rev: lastRev };
