import { and, asc, desc, eq, exists, gt, inArray, lt, sql } from 'drizzle-orm';
import type { Head } from '../domain/events.js';
import type { History, Message, MessageDraft } from '../domain/message.js';
import type { MessageStore, SendOutcome } from '../domain/ports.js';
import type { Database } from './database.js';
import { readEpoch } from './epoch.js';
import { withDomainErrors } from './errors.js';
import { retried } from './retry.js';
import { members, messages, rooms } from './tables.js';

const columns = {
  id: messages.id,
  roomId: messages.roomId,
  seq: messages.seq,
  rev: messages.rev,
  type: messages.type,
  authorId: messages.authorId,
  text: messages.text,
  revision: messages.revision,
  clientMessageId: messages.clientMessageId,
  createdAt: messages.createdAt,
};
const head = { seq: rooms.lastSeq, rev: rooms.lastRev };

export function createMessageStore(db: Database, history: History): MessageStore {
  return withDomainErrors<MessageStore>({
    send: (roomId, drafts) =>
      retried(async () => {
        const rows = await db.execute<SendRow>(
          sql`select * from send_messages(${roomId}::uuid, ${JSON.stringify(drafts.map(draftRow))}::jsonb)`,
        );
        const outcomes = rows.map((row) => sendOutcome(roomId, row));
        const sent = outcomes.flatMap((outcome) => (outcome.kind === 'sent' ? [outcome.message] : []));
        const last = rows.at(-1);
        const change =
          sent.length > 0 && last
            ? {
                roomId,
                epoch: history.epoch,
                head: { seq: last.last_seq, rev: Number(last.last_rev) },
                messages: sent,
              }
            : null;
        return { outcomes, change };
      }),

    async read(roomId, readerId, { from, size, after, before }) {
      const isReader = exists(
        db
          .select({ one: sql`1` })
          .from(members)
          .where(and(eq(members.roomId, rooms.id), eq(members.userId, readerId))),
      );
      // Page, head and access in one statement, so in one snapshot: read after each other, a message sent in between
      // would be in neither the page nor what follows its `liveCursor`, or in both.
      const page = db
        .select(columns)
        .from(messages)
        .where(
          and(
            eq(messages.roomId, rooms.id),
            isReader,
            after ? gt(messages.seq, after.seq) : undefined,
            before ? lt(messages.seq, before.seq) : undefined,
          ),
        )
        .orderBy(from === 'start' ? asc(messages.seq) : desc(messages.seq))
        .limit(size)
        .as('page');
      const rows = await db
        .select({ head, kind: rooms.kind, isMember: sql<boolean>`${isReader}`, message: pageColumns(page) })
        .from(rooms)
        .leftJoinLateral(page, sql`true`)
        .where(eq(rooms.id, roomId))
        .orderBy(asc(page.seq));
      const [room] = rows;
      if (!room || (room.kind !== 'PUBLIC' && !room.isMember)) return null;
      return {
        head: room.head,
        isMember: room.isMember,
        messages: rows.flatMap(({ message }) => message ?? []),
      };
    },

    findByIds: (ids, readerId) =>
      db
        .select(columns)
        .from(messages)
        .innerJoin(members, and(eq(members.roomId, messages.roomId), eq(members.userId, readerId)))
        .where(inArray(messages.id, [...ids])),

    async readSince(roomId, seq, limit) {
      const page = db
        .select(columns)
        .from(messages)
        .where(and(eq(messages.roomId, rooms.id), gt(messages.seq, seq)))
        .orderBy(asc(messages.seq))
        .limit(limit)
        .as('page');
      const rows = await db
        .select({ head, message: pageColumns(page) })
        .from(rooms)
        .leftJoinLateral(page, sql`true`)
        .where(eq(rooms.id, roomId))
        .orderBy(asc(page.seq));
      const [room] = rows;
      return room ? { head: room.head, messages: rows.flatMap(({ message }) => message ?? []) } : null;
    },

    async readHeads(roomIds) {
      const [epoch, rows] = await Promise.all([
        readEpoch(db),
        db
          .select({ id: rooms.id, head })
          .from(rooms)
          .where(inArray(rooms.id, [...roomIds])),
      ]);
      return { epoch, heads: new Map<string, Head>(rows.map((row) => [row.id, row.head])) };
    },
  });
}

interface SendRow extends Record<string, unknown> {
  outcome: SendOutcome['kind'];
  id: string;
  seq: number;
  rev: string;
  type: Message['type'];
  author_id: string | null;
  text: string;
  revision: number;
  client_message_id: string | null;
  created_at: string;
  last_seq: number;
  last_rev: string;
}

/** The same columns, of a subquery that selects them. */
function pageColumns<Page extends Record<keyof typeof columns, unknown>>(
  page: Page,
): Pick<Page, keyof typeof columns> {
  const { id, roomId, seq, rev, type, authorId, text, revision, clientMessageId, createdAt } = page;
  return { id, roomId, seq, rev, type, authorId, text, revision, clientMessageId, createdAt };
}

function draftRow(draft: MessageDraft) {
  return {
    id: draft.id,
    author_id: draft.authorId,
    text: draft.text,
    client_message_id: draft.clientMessageId,
  };
}

function sendOutcome(roomId: string, row: SendRow): SendOutcome {
  switch (row.outcome) {
    case 'sent':
    case 'repeated':
      return { kind: row.outcome, message: sentMessage(roomId, row) };
    case 'conflict':
      return { kind: row.outcome, existingId: row.id };
    default:
      return { kind: row.outcome };
  }
}

/** Rows of our own functions come without Drizzle's column types: bigint and timestamptz as text. */
function sentMessage(roomId: string, row: SendRow): Message {
  return {
    id: row.id,
    roomId,
    seq: row.seq,
    rev: Number(row.rev),
    type: row.type,
    authorId: row.author_id,
    text: row.text,
    revision: row.revision,
    clientMessageId: row.client_message_id,
    createdAt: new Date(row.created_at),
  };
}
