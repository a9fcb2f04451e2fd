import { randomBytes } from 'node:crypto';
import { eq, sql } from 'drizzle-orm';
import type { Database } from './database.js';
import { meta } from './tables.js';

const EPOCH = 'epoch';
const SERVER = 'server';

/** The history that this database holds: 16 hex digits that every cursor carries. */
export async function readEpoch(db: Database): Promise<string> {
  const [row] = await db.select().from(meta).where(eq(meta.key, EPOCH));
  if (!row) throw new Error('The database has no epoch: its migrations have not run.');
  return row.value;
}

/**
 * Makes the first epoch, and a new one where the data stands on another server or timeline than when it was made:
 * it was restored or copied then, and may lack what clients have seen. Runs under the migrations' lock.
 *
 * @returns whether an older epoch was replaced.
 */
export async function ensureEpoch(db: Database): Promise<boolean> {
  const [identity] = await db.execute<{ server: string }>(
    sql`select system_identifier || '/' || timeline_id as server from pg_control_system(), pg_control_checkpoint()`,
  );
  const known = new Map((await db.select().from(meta)).map((row) => [row.key, row.value]));
  if (!identity || (known.get(SERVER) === identity.server && known.has(EPOCH))) return false;
  await db
    .insert(meta)
    .values([
      { key: EPOCH, value: randomBytes(8).toString('hex') },
      { key: SERVER, value: identity.server },
    ])
    .onConflictDoUpdate({ target: meta.key, set: { value: sql`excluded.value` } });
  return known.has(EPOCH);
}
