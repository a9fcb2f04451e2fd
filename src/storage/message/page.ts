import { and, asc, desc, eq, exists, gt, type SQL, sql } from 'drizzle-orm';
import type { Message } from '../../domain/message/message.js';
import type { MessageSnapshot } from '../../domain/message/store.js';
import type { Head } from '../../domain/position.js';
import { headColumns, messageColumns } from '../columns.js';
import type { Database } from '../pool.js';
import { members, messages, rooms } from '../tables.js';

/** Which messages of a room a page holds. */
interface PageQuery {
  readonly where: SQL | undefined;
  readonly orderBy: 'seq' | 'rev';
  /** Which end of the order the page is taken from. The result is always in ascending order. */
  readonly from: 'start' | 'end';
  readonly size: number;
}

/**
 * Reads messages of a room, its head and the reader's access in one statement, and so in one snapshot. With several
 * statements, a message sent between them would be neither in the page nor after its `liveCursor`, or in both.
 *
 * @returns null if there is no such room for the reader.
 */
export async function readPage(
  db: Database,
  roomId: string,
  readerId: string,
  { where, orderBy, from, size }: PageQuery,
): Promise<MessageSnapshot | null> {
  const isReader = exists(
    db
      .select({ one: sql`1` })
      .from(members)
      .where(and(eq(members.roomId, rooms.id), eq(members.userId, readerId))),
  );
  const page = db
    .select(messageColumns)
    .from(messages)
    .where(and(eq(messages.roomId, rooms.id), isReader, where))
    .orderBy(from === 'start' ? asc(messages[orderBy]) : desc(messages[orderBy]))
    .limit(size)
    .as('page');
  const rows = await db
    .select({
      head: headColumns,
      kind: rooms.kind,
      isMember: sql<boolean>`${isReader}`,
      message: page._.selectedFields,
    })
    .from(rooms)
    .leftJoinLateral(page, sql`true`)
    .where(eq(rooms.id, roomId))
    .orderBy(asc(page[orderBy]));
  const [room] = rows;
  if (!room || (room.kind !== 'PUBLIC' && !room.isMember)) return null;
  return {
    head: room.head,
    isMember: room.isMember,
    messages: rows.flatMap(({ message }) => message ?? []),
  };
}

/** Reads what was sent or changed after `rev`, and the head, in one snapshot. Does not check access. */
export async function readSince(
  db: Database,
  roomId: string,
  rev: number,
  limit: number,
): Promise<{ head: Head; messages: readonly Message[] } | null> {
  const page = db
    .select(messageColumns)
    .from(messages)
    .where(and(eq(messages.roomId, rooms.id), gt(messages.rev, rev)))
    .orderBy(asc(messages.rev))
    .limit(limit)
    .as('page');
  const rows = await db
    .select({ head: headColumns, message: page._.selectedFields })
    .from(rooms)
    .leftJoinLateral(page, sql`true`)
    .where(eq(rooms.id, roomId))
    .orderBy(asc(page.rev));
  const [room] = rows;
  return room ? { head: room.head, messages: rows.flatMap(({ message }) => message ?? []) } : null;
}
