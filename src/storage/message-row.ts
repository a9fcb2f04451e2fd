import type { Message } from '../domain/message.js';

/** A row of `messages` as our own functions return it: without Drizzle's column types, bigint and timestamptz as text. */
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
}

export function messageOf(row: MessageRow): Message {
  return {
    id: row.id,
    roomId: row.room_id,
    seq: row.seq,
    rev: Number(row.rev),
    type: row.type,
    authorId: row.author_id,
    subjectId: row.subject_id,
    text: row.text,
    revision: row.revision,
    clientMessageId: row.client_message_id,
    createdAt: new Date(row.created_at),
    changedAt: row.changed_at === null ? null : new Date(row.changed_at),
  };
}
