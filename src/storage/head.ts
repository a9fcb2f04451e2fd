import { sql } from 'drizzle-orm';
import type { RoomAccess } from '../domain/memberships.js';
import type { MessageStore } from '../domain/message/store.js';
import type { Head } from '../domain/position.js';
import { EPOCH, epochMissing, isMoved } from './epoch.js';
import type { Database } from './pool.js';
import { arrayOf, runPrepared } from './prepared.js';
import { meta, rooms } from './tables.js';

/** Selects the head of a row of `rooms`; see `headOf`. */
export const HEAD_COLUMNS = 'rooms.last_seq as head_seq, rooms.last_rev as head_rev';

/** A head as `HEAD_COLUMNS` selects it. */
export interface HeadRow {
  head_seq: number;
  head_rev: string;
}

export function headOf({ head_seq: seq, head_rev: rev }: HeadRow): Head {
  return { seq, rev: Number(rev) };
}

const EPOCH_COLUMN = `(select value from meta where key = '${EPOCH}') as epoch`;

/** One row in any case: it has the epoch, which is read in the same snapshot. */
const READ_ACCESS = `
  select ${EPOCH_COLUMN}, found.*
  from (values (true)) as one
  left join (
    select known.place::int, ${HEAD_COLUMNS}, rooms.kind = 'PUBLIC' as is_public, exists (
      select from members where members.room_id = known.room_id and members.user_id = known.user_id
    ) as is_member
    from unnest($1::uuid[], $2::uuid[]) with ordinality as known(room_id, user_id, place)
    join rooms on rooms.id = known.room_id
  ) as found on true`;

export async function readAccess(
  db: Database,
  pairs: Parameters<MessageStore['readAccess']>[0],
): ReturnType<MessageStore['readAccess']> {
  const rows = await runPrepared<AccessRow>(db, READ_ACCESS, [
    arrayOf(pairs.map(({ roomId }) => roomId)),
    arrayOf(pairs.map(({ userId }) => userId)),
  ]);
  const found = pairs.map((): RoomAccess | null => null);
  for (const row of rows)
    if (row.place !== null)
      found[row.place - 1] = {
        head: headOf(row),
        membership: row.is_member ? 'member' : row.is_public ? 'not-a-member' : 'not-found',
      };
  return { epoch: epochOf(rows), found };
}

type AccessRow = { epoch: string | null } & (
  | (HeadRow & { place: number; is_public: boolean; is_member: boolean })
  | { place: null }
);

const READ_HEADS = `
  select ${EPOCH_COLUMN}, found.*
  from (values (true)) as one
  left join (
    select rooms.id, ${HEAD_COLUMNS} from rooms where rooms.id = any($1::uuid[])
  ) as found on true`;

export async function readHeads(
  db: Database,
  roomIds: readonly string[],
): ReturnType<MessageStore['readHeads']> {
  const rows = await runPrepared<HeadOfRow>(db, READ_HEADS, [arrayOf(roomIds)]);
  const heads = rows.flatMap((row) => (row.id === null ? [] : [[row.id, headOf(row)] as const]));
  return { epoch: epochOf(rows), heads: new Map(heads) };
}

type HeadOfRow = { epoch: string | null } & ((HeadRow & { id: string }) | { id: null });

function epochOf([first]: readonly { epoch: string | null }[]): string {
  if (!first?.epoch) throw epochMissing();
  return first.epoch;
}

/**
 * Compares known heads with the database's in one statement, with three parameters however many rooms there are. Only
 * heads that differ are returned, because 10,000 rows take about 60 ms to decode.
 */
export async function compareHeads(
  db: Database,
  known: Parameters<MessageStore['compareHeads']>[0],
): ReturnType<MessageStore['compareHeads']> {
  const rows = await db.execute<ComparedRow>(sql`
    select ${meta.value} as epoch, ${isMoved} as is_moved, changed.*
    from ${meta} left join lateral (
      select known.id, last_seq, last_rev
      from unnest(
        ${arrayOf(known.map(({ roomId }) => roomId))}::uuid[],
        ${arrayOf(known.map(({ head: { seq } }) => seq))}::int[],
        ${arrayOf(known.map(({ head: { rev } }) => rev))}::bigint[]
      ) as known(id, seq, rev) left join ${rooms} on rooms.id = known.id
      where (last_seq, last_rev) is distinct from (known.seq, known.rev)
    ) as changed on true
    where ${meta.key} = ${EPOCH}`);
  const [first] = rows;
  if (!first) throw epochMissing();
  const heads = rows.flatMap(({ id, last_seq: seq, last_rev: rev }) =>
    id === null ? [] : [[id, seq === null ? null : { seq, rev: Number(rev) }] as const],
  );
  return { epoch: first.epoch, isMoved: first.is_moved, heads: new Map(heads) };
}

/**
 * The epoch, and a head that differs. All columns of the head are null if none does, and the last two if the room is
 * gone.
 */
interface ComparedRow extends Record<string, unknown> {
  epoch: string;
  is_moved: boolean;
  id: string | null;
  last_seq: number | null;
  last_rev: string | null;
}
