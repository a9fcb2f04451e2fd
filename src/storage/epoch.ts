import { randomBytes } from 'node:crypto';
import { and, eq, sql } from 'drizzle-orm';
import type { EpochStore } from '../domain/ports.js';
import type { Database } from './database.js';
import { withDomainErrors } from './errors.js';
import { meta } from './tables.js';

export const EPOCH = 'epoch';
const SERVER = 'server';
/** Any number that all instances agree on. */
const EPOCH_LOCK = 7_265_392;

/** The history that this database holds: 16 hex digits that every cursor carries. */
export async function readEpoch(db: Database): Promise<string> {
  const [row] = await db.select().from(meta).where(eq(meta.key, EPOCH));
  if (!row) throw new Error('The database has no epoch: its migrations have not run.');
  return row.value;
}

export function createEpochStore(db: Database): EpochStore {
  return withDomainErrors<EpochStore>({
    check: () =>
      db.transaction(async (tx) => {
        // Every instance asks at the same time.
        await tx.execute(sql`select pg_advisory_xact_lock(${EPOCH_LOCK})`);
        await ensureEpoch(tx);
      }),
    async renew(known) {
      await db
        .update(meta)
        .set({ value: newEpoch() })
        .where(and(eq(meta.key, EPOCH), eq(meta.value, known)));
    },
  });
}

function newEpoch(): string {
  return randomBytes(8).toString('hex');
}

/**
 * Makes the first epoch, and a new one where the data stands on another server or timeline than when it was made:
 * it was restored or copied then, and may lack what clients have seen. To be called by one instance at a time.
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
      { key: EPOCH, value: newEpoch() },
      { key: SERVER, value: identity.server },
    ])
    .onConflictDoUpdate({ target: meta.key, set: { value: sql`excluded.value` } });
  return known.has(EPOCH);
}
