import type { Column } from 'drizzle-orm';
import type { Message } from '../../domain/message/message.js';
import type { User } from '../../domain/user.js';
import { messageColumns, userColumns } from '../columns.js';

/** A value as postgres.js returns it where Drizzle does not decode it: `bigint` and `timestamptz` are text. */
type RawValue<C extends Column> =
  | (C['_']['data'] extends Date
      ? string
      : C['_']['columnType'] extends 'PgBigInt53'
        ? string
        : C['_']['data'])
  | (C['_']['notNull'] extends true ? never : null);

/** A row of these columns, by their names in SQL. */
type RawRow<Columns extends Record<string, Column>, Prefix extends string = ''> = {
  [Key in keyof Columns as `${Prefix}${Columns[Key]['_']['name']}`]: RawValue<Columns[Key]>;
};

type AuthorRow = RawRow<typeof userColumns, 'author_'>;

/** A message and its author as `MESSAGE_COLUMNS` selects them. Without an author if the account is gone. */
export type MessageRow = RawRow<typeof messageColumns> &
  (AuthorRow | Record<Exclude<keyof AuthorRow, 'author_id'>, null>);

/** A row of a page, which has no message if the page is empty. */
export type MaybeMessageRow = MessageRow | { id: null };

/** Selects a `message`, of the table or as one of our SQL functions returns it, and its author: see `JOIN_AUTHOR`. */
export const MESSAGE_COLUMNS = [
  ...Object.values(messageColumns).map(({ name }) => `(message).${name}`),
  ...Object.values(userColumns)
    .filter(({ name }) => name !== userColumns.id.name)
    .map(({ name }) => `author.${name} as author_${name}`),
].join(', ');

/** Joins the author to the `message`, unless their account has ended. */
export const JOIN_AUTHOR =
  'left join users as author on author.id = (message).author_id and author.deleted_at is null';

/** The messages of a page. Each author is one object, however many messages are theirs. */
export function messagesOf(rows: readonly MaybeMessageRow[]): Message[] {
  const authors = new Map<string, User>();
  const messages: Message[] = [];
  for (const row of rows) if (row.id !== null) messages.push(messageOf(row, authors));
  return messages;
}

// Field by field: a loop over the columns takes twice as long, for every message that is sent.

export function messageOf(row: MessageRow, authors?: Map<string, User>): Message {
  return {
    id: row.id,
    roomId: row.room_id,
    seq: row.seq,
    rev: Number(row.rev),
    type: row.type,
    authorId: row.author_id,
    author: authorOf(row, authors),
    subjectId: row.subject_id,
    text: row.text,
    revision: row.revision,
    clientMessageId: row.client_message_id,
    createdAt: new Date(row.created_at),
    changedAt: row.changed_at === null ? null : new Date(row.changed_at),
  };
}

function authorOf(row: MessageRow, authors?: Map<string, User>): User | undefined {
  if (row.author_username === null) return undefined;
  const known = authors?.get(row.author_id);
  if (known) return known;
  const author = {
    id: row.author_id,
    username: row.author_username,
    displayName: row.author_display_name,
    avatarUrl: row.author_avatar_url,
    createdAt: new Date(row.author_created_at),
  };
  authors?.set(author.id, author);
  return author;
}
