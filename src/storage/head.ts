import { eq, sql } from 'drizzle-orm';
import type { MessageStore } from '../domain/message/store.js';
import { headColumns } from './columns.js';
import { EPOCH, epochMissing, isMoved } from './epoch.js';
import type { Database } from './pool.js';
import { meta, rooms } from './tables.js';

export async function readHead(db: Database, roomId: string): ReturnType<MessageStore['readHead']> {
  const [row] = await db
    .select({ epoch: meta.value, head: headColumns })
    .from(meta)
    .leftJoin(rooms, eq(rooms.id, roomId))
    .where(eq(meta.key, EPOCH));
  if (!row) throw epochMissing();
  return row;
}

/**
 * Compares known heads with the database's in one statement, with three parameters however many rooms there are. Only
 * heads that differ are returned, because 10,000 rows take about 60 ms to decode.
 */
export async function readHeads(
  db: Database,
  known: Parameters<MessageStore['readHeads']>[0],
): ReturnType<MessageStore['readHeads']> {
  const list = (values: readonly (string | number)[]) => `{${values.join(',')}}`;
  const rows = await db.execute<HeadRow>(sql`
    select ${meta.value} as epoch, ${isMoved} as is_moved, changed.*
    from ${meta} left join lateral (
      select known.id, last_seq, last_rev
      from unnest(
        ${list(known.map(({ roomId }) => roomId))}::uuid[],
        ${list(known.map(({ head: { seq } }) => seq))}::int[],
        ${list(known.map(({ head: { rev } }) => rev))}::bigint[]
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
interface HeadRow extends Record<string, unknown> {
  epoch: string;
  is_moved: boolean;
  id: string | null;
  last_seq: number | null;
  last_rev: string | null;
}
