import { setTimeout as sleep } from 'node:timers/promises';
import type postgres from 'postgres';
import type { Log } from '../../domain/ports.js';
import { createClient, type DatabaseAddress } from '../connection/client.js';
import { databaseErrorCode } from '../errors.js';

/*
 * Indexes of tables that may be large. A migration would keep everybody from writing to the table while it builds one, and
 * `CONCURRENTLY` waits for every older transaction, such as that of `pg_dump`: so they are built after the start, and the
 * statements that use them work without them meanwhile. `tables.ts` defines them too, for Drizzle's comparison.
 */

interface BackgroundIndex {
  readonly name: string;
  /** What follows `CREATE INDEX CONCURRENTLY name ON`. */
  readonly definition: string;
}

export const BACKGROUND_INDEXES: readonly BackgroundIndex[] = [
  { name: 'users_username_skeleton', definition: 'users (username_skeleton)' },
  { name: 'users_without_skeleton', definition: 'users (id) WHERE username_skeleton IS NULL' },
];

const RETRY_INTERVAL_MS = 60_000;

/** Builds the indexes that are missing, on a connection of its own without time-outs. Retries once a minute until all exist. */
export function buildIndexes(
  address: DatabaseAddress,
  isPooled: boolean,
  log: Log,
): { readonly done: Promise<void>; close(): Promise<void> } {
  const client = createClient(address, { max: 1, isPooled, hasTimeouts: false });
  const closing = new AbortController();

  async function run(): Promise<void> {
    while (!closing.signal.aborted) {
      try {
        if (await buildMissing(client)) break;
      } catch (error) {
        if (closing.signal.aborted) return;
        log.warn({ error: String(error) }, 'Could not build an index: retrying in a minute');
      }
      await sleep(RETRY_INTERVAL_MS, undefined, { signal: closing.signal }).catch(() => {});
    }
    await client.end({ timeout: 1 });
  }

  const done = run();
  return {
    done,
    async close() {
      closing.abort();
      // Ends a statement that waits; what it leaves is dropped and built again after the next start.
      await client.end({ timeout: 0 });
      await done.catch(() => {});
    },
  };
}

/** Returns whether all indexes exist and are complete. Another instance may be building one. */
async function buildMissing(client: postgres.Sql): Promise<boolean> {
  let isComplete = true;
  for (const { name, definition } of BACKGROUND_INDEXES) {
    const state = await stateOf(client, name);
    if (state === 'building') isComplete = false;
    if (state === 'building' || state === 'complete') continue;
    if (state === 'invalid') await client.unsafe(`DROP INDEX CONCURRENTLY ${name}`).simple();
    isComplete = (await create(client, name, definition)) && isComplete;
  }
  return isComplete;
}

/** `duplicate_table`, and `unique_violation` in the catalog: another instance has begun at the same moment. */
const TAKEN = new Set(['42P07', '23505']);

/** Returns false if another instance builds the index. */
async function create(client: postgres.Sql, name: string, definition: string): Promise<boolean> {
  try {
    await client.unsafe(`CREATE INDEX CONCURRENTLY ${name} ON ${definition}`).simple();
    return true;
  } catch (error) {
    if (TAKEN.has(databaseErrorCode(error) ?? '')) return false;
    throw error;
  }
}

async function stateOf(
  client: postgres.Sql,
  name: string,
): Promise<'missing' | 'building' | 'invalid' | 'complete'> {
  const [index] = await client<{ is_valid: boolean; is_building: boolean }[]>`
    select indisvalid as is_valid,
      exists (select from pg_stat_progress_create_index where index_relid = indexrelid) as is_building
    from pg_index where indexrelid = to_regclass(${name})`;
  if (!index) return 'missing';
  if (index.is_valid) return 'complete';
  return index.is_building ? 'building' : 'invalid';
}
