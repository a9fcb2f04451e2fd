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

/** Where the database is: a URL, or the embedded server's socket. */
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
/** Any number that all instances agree on: whoever holds this advisory lock migrates, the others wait. */
const MIGRATION_LOCK = 7_265_391;

/** After a connection was refused or lost, before the next one on its place, in seconds: for as long as Postgres is away. */
const RECONNECT_DELAY_S = 0.05;

/**
 * Limits of every session, in ms. No wait for a lock or a slow statement is longer than a client's patience. A lock costs up
 * to two of its waits: behind others that wait for the same row, Postgres has one wait for one's turn and then for the holder.
 */
const SESSION_LIMITS = {
  lock_timeout: 2_500,
  statement_timeout: 15_000,
  idle_in_transaction_session_timeout: 15_000,
};

/** Opens a pool; connects with the first query, not here. */
export function openDatabase(address: DatabaseAddress): Pool {
  return createPool(() => connect(address, POOL_SIZE, SESSION_LIMITS));
}

/**
 * Waits until the database answers, then brings its tables up to date, once however many instances start together.
 *
 * @throws StartupError where the database refuses us (a wrong password or name does not mend itself), and where it does not
 *   answer before the signal aborts.
 */
export async function prepareDatabase(
  address: DatabaseAddress,
  log: Log,
  signal: AbortSignal,
): Promise<void> {
  // A session of its own: an advisory lock belongs to one, and a migration may take longer than a query may.
  const client = connect(address, 1, {});
  try {
    await untilAnswering(client, log, signal);
    const db = drizzle(client);
    await client`select pg_advisory_lock(${MIGRATION_LOCK})`;
    await migrate(db, { migrationsFolder: MIGRATIONS });
    const applied = await applyFunctions(db, await readFunctions());
    if (applied.length > 0) log.debug({ functions: applied }, 'SQL functions updated');
    if (await ensureEpoch(db))
      log.warn({}, 'The database was restored or moved: clients are told to start again');
  } finally {
    await client.end({ timeout: 1 });
  }
}

function connect(address: DatabaseAddress, max: number, limits: Record<string, number>): postgres.Sql {
  const options = {
    max,
    connect_timeout: 5,
    // By default postgres.js pauses up to 20 s before it connects again, and callers wait that long for it.
    backoff: () => RECONNECT_DELAY_S,
    // A connection that a proxy or a firewall forgot is replaced before it fails somebody's query.
    max_lifetime: 60 * 30,
    connection: { application_name: 'parley', ...limits },
    // It would ask each new connection for the array types, which we don't use, and let nobody catch what goes wrong
    // with that: a restart of Postgres at this moment would end the process.
    fetch_types: false,
    // Migrations say «already exists, skipping» as notices.
    onnotice: () => {},
  };
  return 'url' in address ? postgres(address.url, options) : postgres({ ...address.connection, ...options });
}

const RETRY_MS = 1000;

async function untilAnswering(client: postgres.Sql, log: Log, signal: AbortSignal): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await client`select 1`;
      return;
    } catch (error) {
      if (!isConnectionError(error))
        throw new StartupError(`The database refuses us: ${error instanceof Error ? error.message : error}.`);
      if (signal.aborted) throw new StartupError('The database does not answer.');
      // The first time and then twice a minute: the log stays readable.
      if (attempt % 30 === 1)
        log.warn(
          { error: databaseErrorCode(error) },
          'The database does not answer yet: trying again every second',
        );
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }
}
