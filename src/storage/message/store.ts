import { and, eq, gt, inArray, lt, lte, sql } from 'drizzle-orm';
import type { MessageDraft } from '../../domain/message/message.js';
import type { MessageStore, SendOutcome } from '../../domain/message/store.js';
import { messageColumns } from '../columns.js';
import { readHead, readHeads } from '../head.js';
import type { Pool } from '../pool.js';
import { type CallPolicies, createStore } from '../store.js';
import { members, messages } from '../tables.js';
import { readPage, readSince } from './page.js';
import { JOIN_AUTHOR, MESSAGE_COLUMNS, type MessageRow, messageOf } from './row.js';

const POLICIES: CallPolicies<MessageStore> = {
  // A retry finds the messages that were stored by the ids of their drafts.
  send: { retry: 'idempotent', turn: 'write', userOf: (_roomId, [first]) => first?.authorId },
  // A retry would count as a second edit.
  edit: { retry: 'at-most-once', turn: 'write', userOf: ({ editorId }) => editorId },
  read: { retry: 'idempotent', turn: 'page', userOf: (_roomId, readerId) => readerId },
  readChanges: { retry: 'idempotent', turn: 'page', userOf: (_roomId, readerId) => readerId },
  findByIds: { retry: 'idempotent', turn: 'page', userOf: (_ids, readerId) => readerId },
  readSince: { retry: 'idempotent', turn: 'repair' },
  findId: { retry: 'idempotent', turn: 'repair' },
  readHead: { retry: 'idempotent', turn: 'repair' },
  readHeads: { retry: 'idempotent', turn: 'repair' },
};

const SEND = `
  select outcome, epoch, last_seq, last_rev, ${MESSAGE_COLUMNS}
  from send_messages($1::uuid, $2::jsonb)
    with ordinality as sent(outcome, epoch, last_seq, last_rev, message, place)
  ${JOIN_AUTHOR}
  order by place`;

export function createMessageStore(pool: Pool): MessageStore {
  return createStore<MessageStore>(pool, POLICIES, (db) => ({
    async send(roomId, drafts) {
      // Uses the driver directly: Drizzle does not prepare this kind of statement, so each call would parse, plan and
      // describe it again, in a round trip of its own.
      const rows = await db.$client.unsafe<SendRow[]>(SEND, [roomId, JSON.stringify(drafts.map(draftRow))], {
        prepare: true,
      });
      const outcomes = rows.map(sendOutcome);
      const sent = outcomes.flatMap((outcome) => (outcome.kind === 'sent' ? [outcome.message] : []));
      const last = rows.at(-1);
      const change =
        sent.length > 0 && last
          ? {
              roomId,
              epoch: last.epoch,
              head: { seq: last.last_seq, rev: Number(last.last_rev) },
              messages: sent,
            }
          : null;
      return { outcomes, change };
    },

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

    read: (roomId, readerId, { from, size, after, before }) => {
      const where = and(
        after === null ? undefined : gt(messages.seq, after),
        before === null ? undefined : lt(messages.seq, before),
      );
      return readPage(db, roomId, readerId, { where, orderBy: 'seq', from, size });
    },

    readChanges: (roomId, readerId, { seq, after, upTo, size }) => {
      const where = and(
        gt(messages.rev, after),
        lte(messages.rev, upTo),
        lte(messages.seq, seq),
        // The condition of the partial index `messages_changes`.
        gt(messages.revision, 1),
      );
      return readPage(db, roomId, readerId, { where, orderBy: 'rev', from: 'start', size });
    },

    findByIds: (ids, readerId) =>
      db
        .select(messageColumns)
        .from(messages)
        .innerJoin(members, and(eq(members.roomId, messages.roomId), eq(members.userId, readerId)))
        .where(inArray(messages.id, [...ids])),

    readSince: (roomId, rev, limit) => readSince(db, roomId, rev, limit),

    async findId(roomId, seq) {
      const [row] = await db
        .select({ id: messages.id })
        .from(messages)
        .where(and(eq(messages.roomId, roomId), eq(messages.seq, seq)));
      return row?.id ?? null;
    },
    readHead: (roomId) => readHead(db, roomId),
    readHeads: (known) => readHeads(db, known),
  }));
}

type SendRow = MessageRow & {
  outcome: SendOutcome['kind'];
  epoch: string;
  last_seq: number;
  last_rev: string;
};

type EditRow = MessageRow & {
  outcome: 'edited' | 'not-found' | 'not-author' | 'full';
  epoch: string;
  last_seq: number;
};

function draftRow(draft: MessageDraft) {
  return {
    id: draft.id,
    author_id: draft.authorId,
    text: draft.text,
    client_message_id: draft.clientMessageId,
  };
}

function sendOutcome(row: SendRow): SendOutcome {
  switch (row.outcome) {
    case 'sent':
    case 'repeated':
      return { kind: row.outcome, message: messageOf(row) };
    case 'conflict':
      return { kind: row.outcome, existingId: row.id };
    default:
      return { kind: row.outcome };
  }
}
