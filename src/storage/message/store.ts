import { and, eq, sql } from 'drizzle-orm';
import type { MessageStore } from '../../domain/message/store.js';
import type { Pool } from '../pool.js';
import { arrayOf, runPrepared } from '../prepared.js';
import { type CallPolicies, createStore } from '../store.js';
import { messages } from '../tables.js';
import { compareHeads, readAccess, readHeads } from './head.js';
import { PAGES, readPage, readSince } from './page.js';
import { JOIN_AUTHOR, MESSAGE_COLUMNS, type MessageRow, messageOf, messagesOf } from './row.js';
import { sendToRoom, sendToRooms } from './send.js';

const POLICIES: CallPolicies<MessageStore> = {
  // A retry finds the messages that were stored by the ids of their drafts.
  send: { retry: 'idempotent', turn: 'write', userOf: (_roomId, [first]) => first?.authorId },
  sendToRooms: { retry: 'idempotent', turn: 'write' },
  // A retry would count as a second edit.
  edit: { retry: 'at-most-once', turn: 'write', userOf: ({ editorId }) => editorId },
  read: { retry: 'idempotent', turn: 'page', userOf: onlyOne },
  readChanges: { retry: 'idempotent', turn: 'page', userOf: onlyOne },
  findByIds: { retry: 'idempotent', turn: 'page', userOf: (_ids, readerId) => readerId },
  readSince: { retry: 'idempotent', turn: 'repair' },
  findId: { retry: 'idempotent', turn: 'repair' },
  readAccess: { retry: 'idempotent', turn: 'page' },
  readHeads: { retry: 'idempotent', turn: 'page' },
  compareHeads: { retry: 'idempotent', turn: 'repair' },
};

/** A page that several readers wait for is nobody's in particular. */
function onlyOne(_roomId: string, [first, ...others]: readonly string[]): string | undefined {
  return others.length === 0 ? first : undefined;
}

const FIND_BY_IDS = `
  select ${MESSAGE_COLUMNS} from messages as message ${JOIN_AUTHOR}
  join members on members.room_id = message.room_id and members.user_id = $2::uuid
  where message.id = any($1::uuid[])`;

/** The largest value of the column. */
const MAX_SEQ = 2_147_483_647;

export function createMessageStore(pool: Pool): MessageStore {
  return createStore<MessageStore>(pool, POLICIES, (db) => ({
    send: (roomId, drafts) => sendToRoom(db, roomId, drafts),
    sendToRooms: (rooms) => sendToRooms(db, rooms),

    async edit({ roomId, messageId, editorId, text }) {
      const [row] = await db.execute<EditRow>(
        sql`select outcome, epoch, last_seq, ${sql.raw(MESSAGE_COLUMNS)}
          from edit_message(${roomId}::uuid, ${messageId}::uuid, ${editorId}::uuid, ${text})
          ${sql.raw(JOIN_AUTHOR)}`,
      );
      if (row?.outcome !== 'edited') return { kind: row?.outcome ?? 'not-found' };
      const message = messageOf(row);
      const change = {
        roomId,
        epoch: row.epoch,
        head: { seq: row.last_seq, rev: message.rev },
        messages: [message],
      };
      return { kind: 'edited', change };
    },

    read: (roomId, readerIds, { from, size, after, before }) =>
      readPage(db, roomId, readerIds, PAGES[from], { size, bounds: [after ?? 0, before ?? MAX_SEQ + 1] }),

    readChanges: (roomId, readerIds, { seq, after, upTo, size }) =>
      readPage(db, roomId, readerIds, PAGES.changes, { size, bounds: [seq, after, upTo] }),

    async findByIds(ids, readerId) {
      return messagesOf(await runPrepared<MessageRow>(db, FIND_BY_IDS, [arrayOf(ids), readerId]));
    },

    readSince: (rooms) => readSince(db, rooms),

    async findId(roomId, seq) {
      const [row] = await db
        .select({ id: messages.id })
        .from(messages)
        .where(and(eq(messages.roomId, roomId), eq(messages.seq, seq)));
      return row?.id ?? null;
    },
    readAccess: (pairs) => readAccess(db, pairs),
    readHeads: (roomIds) => readHeads(db, roomIds),
    compareHeads: (known) => compareHeads(db, known),
  }));
}

type EditRow = MessageRow & {
  outcome: 'edited' | 'not-found' | 'not-author' | 'full';
  epoch: string;
  last_seq: number;
};
