import { randomBytes } from 'node:crypto';
import { and, eq, sql } from 'drizzle-orm';
import type { EpochStore } from '../domain/history.js';
import type { Database, Pool } from './pool.js';
import { createStore } from './store.js';
import { meta } from './tables.js';

export const EPOCH = 'epoch';
const SERVER = 'server';

/**
 * The server and the timeline that the data stand on: others after they were restored, copied or promoted. The timeline is
 * that of what is being written: the checkpoint's follows long after a promotion.
 */
const CURRENT_SERVER = sql`(
  select system_identifier || '/' || ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int
  from pg_control_system()
)`;

/** Whether that is another one than the epoch was made on. */
export const isMoved = sql<boolean>`exists (
  select from ${meta} as made where made.key = ${SERVER} and made.value <> ${CURRENT_SERVER}
)`;

/** The history that this database holds: 16 hex digits that every cursor carries. */
export async function readEpoch(db: Database): Promise<string> {
  const [row] = await db.select().from(meta).where(eq(meta.key, EPOCH));
  if (!row) throw epochMissing();
  return row.value;
}

/** The error where the epoch is not there, which every start makes. */
export function epochMissing(): Error {
  return new Error('The database has no epoch: its migrations have not run.');
}

/**
 * Makes the first epoch, and a new one where the data stands on another server or timeline than when it was made:
 * it may lack what clients have seen.
 *
 * @returns whether an older epoch was replaced.
 */
export async function ensureEpoch(db: Database): Promise<boolean> {
  await db
    .insert(meta)
    .values([
      { key: EPOCH, value: newEpoch() },
      { key: SERVER, value: CURRENT_SERVER },
    ])
    .onConflictDoNothing();
  // One statement: of many instances that find the server changed, one makes the epoch.
  const renewed = await db.execute(sql`
    with moved as (
      update ${meta} set value = ${CURRENT_SERVER}
      where ${meta.key} = ${SERVER} and ${meta.value} <> ${CURRENT_SERVER}
      returning key
    )
    update ${meta} set value = ${newEpoch()} where ${meta.key} = ${EPOCH} and exists (select from moved)
    returning key`);
  return renewed.length > 0;
}

export function createEpochStore(pool: Pool): EpochStore {
  return createStore<EpochStore>(pool, { check: 'repeatable', renew: 'repeatable' }, (db) => ({
    async check() {
      await ensureEpoch(db);
    },
    async renew(known) {
      await db
        .update(meta)
        .set({ value: newEpoch() })
        .where(and(eq(meta.key, EPOCH), eq(meta.value, known)));
    },
  }));
}

function newEpoch(): string {
  return randomBytes(8).toString('hex');
}
