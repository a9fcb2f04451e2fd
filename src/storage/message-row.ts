import type { Message } from '../domain/message.js';
import type { User } from '../domain/user.js';

/** SQL of a select from one of our functions: what it takes of the `message` and of its author. */
export const MESSAGE_COLUMNS =
  '(message).*, author.username, author.display_name, author.avatar_url, author.created_at as author_created_at';
/** SQL that joins the author to the `message`. */
export const WITH_AUTHOR = 'left join users as author on author.id = (message).author_id';

/** A message and its author as our own functions return them: without Drizzle's column types, bigint and timestamptz as text. */
export interface MessageRow extends Record<string, unknown> {
  id: string;
  room_id: string;
  seq: number;
  rev: string;
  type: Message['type'];
  author_id: string | null;
  subject_id: string | null;
  text: string;
  revision: number;
  client_message_id: string | null;
  created_at: string;
  changed_at: string | null;
  username: string | null;
  display_name: string | null;
  avatar_url: string | null;
  author_created_at: string | null;
}

export function messageOf(row: MessageRow): Message {
  return {
    id: row.id,
    roomId: row.room_id,
    seq: row.seq,
    rev: Number(row.rev),
    type: row.type,
    authorId: row.author_id,
    author: authorOf(row),
    subjectId: row.subject_id,
    text: row.text,
    revision: row.revision,
    clientMessageId: row.client_message_id,
    createdAt: new Date(row.created_at),
    changedAt: row.changed_at === null ? null : new Date(row.changed_at),
  };
}

function authorOf(row: MessageRow): User | undefined {
  if (
    row.author_id === null ||
    row.username === null ||
    row.display_name === null ||
    row.author_created_at === null
  )
    return undefined;
  return {
    id: row.author_id,
    username: row.username,
    displayName: row.display_name,
    avatarUrl: row.avatar_url,
    createdAt: new Date(row.author_created_at),
  };
}
