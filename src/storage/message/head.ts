import type { RoomAccess } from '../../domain/memberships.js';
import type { MessageStore } from '../../domain/message/store.js';
import type { Head } from '../../domain/position.js';
import { EPOCH, epochMissing, IS_MOVED } from '../epoch.js';
import type { Database } from '../pool.js';
import { arrayOf, runPrepared } from '../prepared.js';

/**
 * Joins its head to a row of `rooms`: that of the newest message and the newest change. `offset 0` lets Postgres look it up
 * once per room, not once per row of the result.
 */
export const JOIN_HEAD = `
  cross join lateral (
    select coalesce((
      select newest.seq from messages as newest where newest.room_id = rooms.id order by newest.seq desc limit 1
    ), 0) as head_seq, coalesce((
      select newest.rev from messages as newest where newest.room_id = rooms.id order by newest.rev desc limit 1
    ), 0) as head_rev offset 0
  ) as head`;

/** Selects the head that `JOIN_HEAD` joins; see `headOf`. */
export const HEAD_COLUMNS = 'head.head_seq, head.head_rev';

/** A head as `HEAD_COLUMNS` selects it. */
export interface HeadRow {
  head_seq: number;
  head_rev: string;
}

export function headOf({ head_seq: seq, head_rev: rev }: HeadRow): Head {
  return { seq, rev: Number(rev) };
}

export const EPOCH_COLUMN = `(select value from meta where key = '${EPOCH}') as epoch`;

/** One row in any case: it has the epoch, which is read in the same snapshot. */
const READ_ACCESS = `
  select ${EPOCH_COLUMN}, found.*
  from (values (true)) as one
  left join (
    select known.place::int, ${HEAD_COLUMNS}, rooms.kind = 'PUBLIC' as is_public, exists (
      select from members where members.room_id = known.room_id and members.user_id = known.user_id
    ) as is_member
    from unnest($1::uuid[], $2::uuid[]) with ordinality as known(room_id, user_id, place)
    join rooms on rooms.id = known.room_id ${JOIN_HEAD}
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
    select rooms.id, ${HEAD_COLUMNS}, newest.id as newest_id from rooms ${JOIN_HEAD}
    left join messages as newest on newest.room_id = rooms.id and newest.seq = head.head_seq
    where rooms.id = any($1::uuid[])
  ) as found on true`;

export async function readHeads(
  db: Database,
  roomIds: readonly string[],
): ReturnType<MessageStore['readHeads']> {
  const rows = await runPrepared<HeadOfRow>(db, READ_HEADS, [arrayOf(roomIds)]);
  const heads = rows.flatMap((row) =>
    row.id === null ? [] : [[row.id, { head: headOf(row), newestId: row.newest_id }] as const],
  );
  return { epoch: epochOf(rows), heads: new Map(heads) };
}

type HeadOfRow = { epoch: string | null } & (
  | (HeadRow & { id: string; newest_id: string | null })
  | { id: null }
);

export function epochOf([first]: readonly { epoch: string | null }[]): string {
  if (!first?.epoch) throw epochMissing();
  return first.epoch;
}

export const IDENTITY_COLUMNS = `${EPOCH_COLUMN}, ${IS_MOVED} as is_moved`;

/** Only heads that differ are returned, because 10,000 rows take about 60 ms to decode. */
const COMPARE_HEADS = `
  select ${IDENTITY_COLUMNS}, changed.*
  from (values (true)) as one
  left join (
    select known.id, found.head_seq, found.head_rev, stored.id <> known.newest_id as is_replaced
    from unnest($1::uuid[], $2::int[], $3::bigint[], $4::uuid[]) as known(id, seq, rev, newest_id)
    left join lateral (
      select ${HEAD_COLUMNS} from rooms ${JOIN_HEAD} where rooms.id = known.id
    ) as found on true
    left join messages as stored on stored.room_id = known.id and stored.seq = known.seq
    where (found.head_seq, found.head_rev) is distinct from (known.seq, known.rev) or stored.id <> known.newest_id
  ) as changed on true`;

export async function compareHeads(
  db: Database,
  known: Parameters<MessageStore['compareHeads']>[0],
): ReturnType<MessageStore['compareHeads']> {
  const rows = await runPrepared<ComparedRow>(db, COMPARE_HEADS, [
    arrayOf(known.map(({ roomId }) => roomId)),
    arrayOf(known.map(({ head: { seq } }) => seq)),
    arrayOf(known.map(({ head: { rev } }) => rev)),
    arrayOf(known.map(({ newestId }) => newestId ?? 'null')),
  ]);
  const heads = rows.flatMap((row) => (row.id === null ? [] : [[row.id, differenceOf(row)] as const]));
  return { epoch: epochOf(rows), isMoved: rows[0]?.is_moved ?? false, heads: new Map(heads) };
}

function differenceOf({ head_seq: seq, head_rev: rev, is_replaced }: ComparedRow): Head | 'replaced' | null {
  if (seq === null || rev === null) return null;
  return is_replaced ? 'replaced' : { seq, rev: Number(rev) };
}

/** All columns of the head are null if no head differs, and the last two if the room is gone. */
interface ComparedRow {
  epoch: string | null;
  is_moved: boolean;
  id: string | null;
  head_seq: number | null;
  head_rev: string | null;
  is_replaced: boolean | null;
}
