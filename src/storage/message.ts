import { and, asc, desc, eq, exists, gt, inArray, lt, lte, type SQL, sql } from 'drizzle-orm';
import type { MessageDraft } from '../domain/message.js';
import type { MessageStore, SendOutcome } from '../domain/message-store.js';
import { EPOCH, isMoved } from './epoch.js';
import { MESSAGE_COLUMNS, type MessageRow, messageOf, WITH_AUTHOR } from './message-row.js';
import type { Database, Pool } from './pool.js';
import { createStore } from './store.js';
import { members, messages, meta, rooms } from './tables.js';

const columns = {
  id: messages.id,
  roomId: messages.roomId,
  seq: messages.seq,
  rev: messages.rev,
  type: messages.type,
  authorId: messages.authorId,
  subjectId: messages.subjectId,
  text: messages.text,
  revision: messages.revision,
  clientMessageId: messages.clientMessageId,
  createdAt: messages.createdAt,
  changedAt: messages.changedAt,
};
const head = { seq: rooms.lastSeq, rev: rooms.lastRev };

const REPETITION = {
  // What it stored before it finds by the ids of the drafts.
  send: 'repeatable',
  // A second try would count as a second change.
  edit: 'once',
  read: 'repeatable',
  readChanges: 'repeatable',
  findByIds: 'repeatable',
  readSince: 'repeatable',
  readHead: 'repeatable',
  readHeads: 'repeatable',
} as const;

/**
 * Some of a room's messages, its head and the reader's access in one statement, so in one snapshot: read after each
 * other, a message sent in between would be in neither the page nor what follows its `liveCursor`, or in both.
 */
async function readPage(
  db: Database,
  roomId: string,
  readerId: string,
  {
    which,
    by,
    from,
    size,
  }: { which: SQL | undefined; by: 'seq' | 'rev'; from: 'start' | 'end'; size: number },
) {
  const isReader = exists(
    db
      .select({ one: sql`1` })
      .from(members)
      .where(and(eq(members.roomId, rooms.id), eq(members.userId, readerId))),
  );
  const page = db
    .select(columns)
    .from(messages)
    .where(and(eq(messages.roomId, rooms.id), isReader, which))
    .orderBy(from === 'start' ? asc(messages[by]) : desc(messages[by]))
    .limit(size)
    .as('page');
  const rows = await db
    .select({ head, kind: rooms.kind, isMember: sql<boolean>`${isReader}`, message: pageColumns(page) })
    .from(rooms)
    .leftJoinLateral(page, sql`true`)
    .where(eq(rooms.id, roomId))
    .orderBy(asc(page[by]));
  const [room] = rows;
  if (!room || (room.kind !== 'PUBLIC' && !room.isMember)) return null;
  return {
    head: room.head,
    isMember: room.isMember,
    messages: rows.flatMap(({ message }) => message ?? []),
  };
}

const SEND = `
  select outcome, epoch, last_seq, last_rev, ${MESSAGE_COLUMNS}
  from send_messages($1::uuid, $2::jsonb)
    with ordinality as sent(outcome, epoch, last_seq, last_rev, message, place)
  ${WITH_AUTHOR}
  order by place`;

export function createMessageStore(pool: Pool): MessageStore {
  return createStore<MessageStore>(pool, REPETITION, (db) => ({
    async send(roomId, drafts) {
      // By the driver itself: Drizzle prepares no statement of this kind, so each would be parsed, planned and described
      // again, in a round trip of its own.
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
          ${sql.raw(WITH_AUTHOR)}`,
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
      const which = and(
        after === null ? undefined : gt(messages.seq, after),
        before === null ? undefined : lt(messages.seq, before),
      );
      return readPage(db, roomId, readerId, { which, by: 'seq', from, size });
    },

    readChanges: (roomId, readerId, { seq, after, upTo, size }) => {
      const which = and(
        gt(messages.rev, after),
        lte(messages.rev, upTo),
        lte(messages.seq, seq),
        // As the index has it that holds these alone.
        gt(messages.revision, 1),
      );
      return readPage(db, roomId, readerId, { which, by: 'rev', from: 'start', size });
    },

    findByIds: (ids, readerId) =>
      db
        .select(columns)
        .from(messages)
        .innerJoin(members, and(eq(members.roomId, messages.roomId), eq(members.userId, readerId)))
        .where(inArray(messages.id, [...ids])),

    async readSince(roomId, rev, limit) {
      const page = db
        .select(columns)
        .from(messages)
        .where(and(eq(messages.roomId, rooms.id), gt(messages.rev, rev)))
        .orderBy(asc(messages.rev))
        .limit(limit)
        .as('page');
      const rows = await db
        .select({ head, message: pageColumns(page) })
        .from(rooms)
        .leftJoinLateral(page, sql`true`)
        .where(eq(rooms.id, roomId))
        .orderBy(asc(page.rev));
      const [room] = rows;
      return room ? { head: room.head, messages: rows.flatMap(({ message }) => message ?? []) } : null;
    },

    async readHead(roomId) {
      const [row] = await db
        .select({ epoch: meta.value, head })
        .from(meta)
        .leftJoin(rooms, eq(rooms.id, roomId))
        .where(eq(meta.key, EPOCH));
      if (!row) throw new Error('The database has no epoch.');
      return row;
    },

    async readHeads(known) {
      // Three parameters, however many rooms there are, and only what is news: to read 10,000 rows costs 60 ms here.
      const list = (values: readonly (string | number)[]) => `{${values.join(',')}}`;
      const rows = await db.execute<HeadRow>(sql`
        select ${meta.value} as epoch, ${isMoved} as is_moved, news.*
        from ${meta} left join lateral (
          select asked.id, last_seq, last_rev
          from unnest(
            ${list(known.map(({ roomId }) => roomId))}::uuid[],
            ${list(known.map(({ head: { seq } }) => seq))}::int[],
            ${list(known.map(({ head: { rev } }) => rev))}::bigint[]
          ) as asked(id, seq, rev) left join ${rooms} on rooms.id = asked.id
          where (last_seq, last_rev) is distinct from (asked.seq, asked.rev)
        ) as news on true
        where ${meta.key} = ${EPOCH}`);
      const [first] = rows;
      if (!first) throw new Error('The database has no epoch.');
      const heads = rows.flatMap(({ id, last_seq: seq, last_rev: rev }) =>
        id === null ? [] : [[id, seq === null ? null : { seq, rev: Number(rev) }] as const],
      );
      return { epoch: first.epoch, isMoved: first.is_moved, heads: new Map(heads) };
    },
  }));
}

interface SendRow extends MessageRow {
  outcome: SendOutcome['kind'];
  epoch: string;
  last_seq: number;
  last_rev: string;
}

interface HeadRow extends Record<string, unknown> {
  epoch: string;
  is_moved: boolean;
  id: string | null;
  last_seq: number | null;
  last_rev: string | null;
}

interface EditRow extends MessageRow {
  outcome: 'edited' | 'not-found' | 'not-author';
  epoch: string;
  last_seq: number;
}

/** The same columns, of a subquery that selects them. */
function pageColumns<Page extends Record<keyof typeof columns, unknown>>(
  page: Page,
): Pick<Page, keyof typeof columns> {
  const { id, roomId, seq, rev, type, authorId, subjectId, text, revision, clientMessageId } = page;
  const { createdAt, changedAt } = page;
  return {
    id,
    roomId,
    seq,
    rev,
    type,
    authorId,
    subjectId,
    text,
    revision,
    clientMessageId,
    createdAt,
    changedAt,
  };
}

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
