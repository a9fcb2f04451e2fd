import { randomBytes } from 'node:crypto';
import { and, eq, sql } from 'drizzle-orm';
import type { EpochStore } from '../domain/history.js';
import type { Database, Pool } from './pool.js';
import { createStore } from './store.js';
import { meta } from './tables.js';

export const EPOCH = 'epoch';
const SERVER = 'server';
const DATABASE = 'database';

/** See `functions/server_identity.sql`. Null, and so neither recorded nor compared, if the server refuses to say. */
const CURRENT_SERVER = 'server_identity()';

/** Identifies the database on its server: a copy (`createdb -T`) and a restored dump have another one. */
const CURRENT_DATABASE = '(select oid::text from pg_database where datname = current_database())';

/** Whether the server, the timeline or the database differs from the one that the epoch was created on. */
export const IS_MOVED = `exists (
  select from meta as recorded
  where (recorded.key = '${SERVER}' and recorded.value <> ${CURRENT_SERVER})
    or (recorded.key = '${DATABASE}' and recorded.value <> ${CURRENT_DATABASE})
)`;

const currentServer = sql.raw(CURRENT_SERVER);
const currentDatabase = sql.raw(CURRENT_DATABASE);

/** Reads the epoch, which identifies the history in this database: 16 hex digits, part of every cursor. */
export async function readEpoch(db: Database): Promise<string> {
  const [row] = await db.select().from(meta).where(eq(meta.key, EPOCH));
  if (!row) throw epochMissing();
  return row.value;
}

/** Every start creates the epoch, so this is a fault. */
export function epochMissing(): Error {
  return new Error('The database has no epoch: its migrations have not run.');
}

/**
 * Creates the first epoch, and replaces it if the server, the timeline or the database has changed since: the data may then
 * lack messages that clients have seen. What an earlier release has not recorded is added, without a new epoch.
 *
 * @returns whether an older epoch was replaced.
 */
export async function ensureEpoch(db: Database): Promise<boolean> {
  await db.execute(sql`
    insert into ${meta} (key, value)
    select key, value from (
      values (${EPOCH}, ${newEpoch()}), (${SERVER}, ${currentServer}), (${DATABASE}, ${currentDatabase})
    ) as facts(key, value)
    where value is not null
    on conflict do nothing`);
  // One statement, so that only one of many instances that see the change creates the new epoch.
  const renewed = await db.execute(sql`
    with moved as (
      update ${meta} set value = case ${meta.key} when ${SERVER} then ${currentServer} else ${currentDatabase} end
      where (${meta.key} = ${SERVER} and ${meta.value} <> ${currentServer})
        or (${meta.key} = ${DATABASE} and ${meta.value} <> ${currentDatabase})
      returning key
    )
    update ${meta} set value = ${newEpoch()} where ${meta.key} = ${EPOCH} and exists (select from moved)
    returning key`);
  return renewed.length > 0;
}

export function createEpochStore(pool: Pool): EpochStore {
  const policy = { retry: 'idempotent', turn: 'repair' } as const;
  return createStore<EpochStore>(pool, { check: policy, renew: policy }, (db) => ({
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
