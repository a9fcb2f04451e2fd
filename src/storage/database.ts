import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { drizzle } from 'drizzle-orm/postgres-js';
import { migrate } from 'drizzle-orm/postgres-js/migrator';
import postgres from 'postgres';
import type { Log } from '../domain/ports.js';
import { StartupError } from '../startup-error.js';
import { ensureEpoch } from './epoch.js';
import { databaseErrorCode, isConnectionError } from './errors.js';
import { applyFunctions, readFunctions } from './functions.js';
import { createPool, POOL_SIZE, type Pool } from './pool.js';

/** The address of the database: a URL, or the embedded server's socket. */
export type DatabaseAddress =
  | { readonly url: string }
  | {
      readonly connection: {
        host: string;
        port: number;
        database: string;
        username: string;
        password?: string;
      };
    };

const MIGRATIONS = fileURLToPath(new URL('../../drizzle', import.meta.url));
/**
 * The advisory lock under which one instance migrates while others wait. An arbitrary number, the same for all
 * instances.
 */
const MIGRATION_LOCK = 7_265_391;

/** Delay before a refused or lost connection is opened again, in seconds. */
const RECONNECT_DELAY_S = 0.05;

/**
 * Timeouts of every session, in ms, so that a call fails before its client gives up. A lock may take two
 * `lock_timeout`s: behind other waiters for the same row, Postgres waits first for its place in the queue and then
 * for the holder.
 */
const SESSION_TIMEOUTS_MS = {
  lock_timeout: 2_500,
  statement_timeout: 15_000,
  idle_in_transaction_session_timeout: 15_000,
};

/** Opens a pool, which connects at its first query. */
export function openDatabase(address: DatabaseAddress): Pool {
  return createPool(() => connect(address, POOL_SIZE, SESSION_TIMEOUTS_MS));
}

/**
 * Waits until the database answers, then migrates its tables and SQL functions. Instances that start together do so
 * one at a time, so each migration is applied once.
 *
 * @throws StartupError if the database refuses the connection (a wrong password or name does not fix itself), or does
 *   not answer before the signal aborts.
 */
export async function prepareDatabase(
  address: DatabaseAddress,
  log: Log,
  signal: AbortSignal,
): Promise<void> {
  // One connection without timeouts: an advisory lock belongs to its session, and a migration may take longer than a
  // query.
  const client = connect(address, 1, {});
  try {
    await untilAnswering(client, log, signal);
    const db = drizzle(client);
    await client`select pg_advisory_lock(${MIGRATION_LOCK})`;
    await migrate(db, { migrationsFolder: MIGRATIONS });
    const applied = await applyFunctions(db, await readFunctions());
    if (applied.length > 0) log.debug({ functions: applied }, 'SQL functions updated');
    if (await ensureEpoch(db))
      log.warn({}, 'The database was restored or moved: created a new epoch, clients must resynchronize');
  } finally {
    await client.end({ timeout: 1 });
  }
}

function connect(address: DatabaseAddress, max: number, timeouts: Record<string, number>): postgres.Sql {
  const options = {
    max,
    connect_timeout: 5,
    // By default, postgres.js waits up to 20 s before it connects again, and callers wait with it.
    backoff: () => RECONNECT_DELAY_S,
    // 30 min, in seconds: connections are replaced before a proxy or firewall drops them silently.
    max_lifetime: 60 * 30,
    connection: { application_name: 'parley', ...timeouts },
    // Parley uses no array types. Fetching them is a query on each new connection whose error cannot be caught: if
    // Postgres restarted at that moment, the process would end.
    fetch_types: false,
    // Migrations cause notices such as "already exists, skipping".
    onnotice: () => {},
  };
  return 'url' in address ? postgres(address.url, options) : postgres({ ...address.connection, ...options });
}

const CONNECT_RETRY_INTERVAL_MS = 1_000;

async function untilAnswering(client: postgres.Sql, log: Log, signal: AbortSignal): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await client`select 1`;
      return;
    } catch (error) {
      if (!isConnectionError(error))
        throw new StartupError(
          `The database refused the connection: ${error instanceof Error ? error.message : error}.`,
        );
      if (signal.aborted) throw new StartupError('The database does not answer.');
      // At the first attempt and then twice a minute, to keep the log readable.
      if (attempt % 30 === 1)
        log.warn(
          { error: databaseErrorCode(error) },
          'The database does not answer yet: retrying every second',
        );
      await sleep(CONNECT_RETRY_INTERVAL_MS);
    }
  }
}
