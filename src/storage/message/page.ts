import type { MessageSnapshot, MessageStore, RoomMessages } from '../../domain/message/store.js';
import type { Database } from '../pool.js';
import { arrayOf, runPrepared } from '../prepared.js';
import { HEAD_COLUMNS, type HeadRow, headOf, JOIN_HEAD } from './head.js';
import { JOIN_AUTHOR, type MaybeMessageRow, MESSAGE_COLUMNS, messagesOf } from './row.js';

/** Where a page begins and ends: two numbers, exclusive and inclusive or exclusive, as its statement says. */
interface PageBounds {
  readonly size: number;
  readonly bounds: readonly number[];
}

/** A statement that reads a page: its parameters are the room, the readers, the size, and the bounds. */
export type PageStatement = string;

/**
 * Reads messages of a room, its head and the readers' access in one statement, and so in one snapshot. With several
 * statements, a message sent between them would be neither in the page nor after its `liveCursor`, or in both.
 *
 * @param orderBy the result is always in ascending order, whichever end it was taken from.
 */
function pageStatement(where: string, orderBy: 'seq' | 'rev', from: 'start' | 'end'): PageStatement {
  return `
    select ${HEAD_COLUMNS}, rooms.kind = 'PUBLIC' as is_public, reader.member_ids, page.*
    from rooms ${JOIN_HEAD}
    cross join lateral (
      select string_agg(members.user_id::text, ',') as member_ids from members
      where members.room_id = rooms.id and members.user_id = any($2::uuid[])
    ) as reader
    left join lateral (
      select ${MESSAGE_COLUMNS} from messages as message ${JOIN_AUTHOR}
      where message.room_id = rooms.id and reader.member_ids is not null and ${where}
      order by message.${orderBy} ${from === 'start' ? 'asc' : 'desc'} limit $3::int
    ) as page on true
    where rooms.id = $1::uuid
    order by page.${orderBy}`;
}

const WITHIN = 'message.seq > $4::int and message.seq < $5::bigint';

export const PAGES = {
  /** Between two `seq`, both exclusive. */
  start: pageStatement(WITHIN, 'seq', 'start'),
  end: pageStatement(WITHIN, 'seq', 'end'),
  /** Changed messages up to a `seq`, after one `rev` and up to another; the last condition is that of `messages_changes`. */
  changes: pageStatement(
    'message.seq <= $4::int and message.rev > $5::bigint and message.rev <= $6::bigint and message.revision > 1',
    'rev',
    'start',
  ),
} as const satisfies Record<string, PageStatement>;

/** @returns null if there is no such room. */
export async function readPage(
  db: Database,
  roomId: string,
  readerIds: readonly string[],
  statement: PageStatement,
  { size, bounds }: PageBounds,
): Promise<MessageSnapshot | null> {
  const rows = await runPrepared<PageRow>(db, statement, [roomId, arrayOf(readerIds), size, ...bounds]);
  const [first] = rows;
  if (!first) return null;
  return {
    head: headOf(first),
    isPublic: first.is_public,
    memberIds: new Set(first.member_ids?.split(',')),
    messages: messagesOf(rows),
  };
}

type PageRow = MaybeMessageRow & HeadRow & { is_public: boolean; member_ids: string | null };

const READ_SINCE = `
  select known.id as known_id, ${HEAD_COLUMNS}, page.*
  from unnest($1::uuid[], $2::bigint[], $3::int[]) as known(id, rev, max_rows)
  join rooms on rooms.id = known.id ${JOIN_HEAD}
  left join lateral (
    select ${MESSAGE_COLUMNS} from messages as message ${JOIN_AUTHOR}
    where message.room_id = known.id and message.rev > known.rev
    order by message.rev limit known.max_rows
  ) as page on true
  order by known.id, page.rev`;

/** Reads what was sent or changed in rooms after a `rev` of each, and their heads, in one snapshot. Does not check access. */
export async function readSince(
  db: Database,
  rooms: Parameters<MessageStore['readSince']>[0],
): Promise<ReadonlyMap<string, RoomMessages>> {
  const rows = await runPrepared<SinceRow>(db, READ_SINCE, [
    arrayOf(rooms.map(({ roomId }) => roomId)),
    arrayOf(rooms.map(({ rev }) => rev)),
    arrayOf(rooms.map(({ limit }) => limit)),
  ]);
  const byRoom = new Map<string, SinceRow[]>();
  for (const row of rows) {
    const ofRoom = byRoom.get(row.known_id);
    if (ofRoom) ofRoom.push(row);
    else byRoom.set(row.known_id, [row]);
  }
  return new Map(
    [...byRoom].flatMap(([roomId, found]) =>
      found[0] ? [[roomId, { head: headOf(found[0]), messages: messagesOf(found) }]] : [],
    ),
  );
}

type SinceRow = MaybeMessageRow & HeadRow & { known_id: string };
