import { setTimeout as sleep } from 'node:timers/promises';
import { drizzle } from 'drizzle-orm/postgres-js';
import type postgres from 'postgres';
import type { Log } from '../domain/ports.js';
import { StartupError } from '../startup-error.js';
import { addressOf, createClient, type DatabaseAddress } from './connection/client.js';
import { checkPooledSession } from './connection/session.js';
import { ensureEpoch } from './epoch.js';
import { databaseErrorCode, isConnectionError } from './errors.js';
import { applyFunctions, readFunctions } from './functions.js';
import { applyMigrations } from './migration/migrations.js';
import { checkServer, toStartupError } from './migration/requirements.js';
import { createPool, DEFAULT_POOL_SIZE, type Pool } from './pool.js';

export type { DatabaseAddress };

/** Opens a pool, which connects at its first query. */
export function openDatabase(
  address: DatabaseAddress,
  { isPooled = false, size = DEFAULT_POOL_SIZE }: { isPooled?: boolean; size?: number } = {},
): Pool {
  return createPool(() => createClient(address, { max: size, isPooled, hasTimeouts: true }), { size });
}

const CONNECT_RETRY_INTERVAL_MS = 1_000;
/** Of the retries that are logged, to keep the log readable: the first, and then two in a minute. */
const LOGGED_RETRIES = 30;

/**
 * Waits until the database answers, then migrates its tables and SQL functions. Instances that start together do so
 * one at a time, so each migration is applied once.
 *
 * @returns whether a connection pooler is in front of the server.
 * @throws StartupError for a refusal that waiting does not cure, or if the database does not answer before the signal
 *   aborts.
 */
export async function prepareDatabase(
  address: DatabaseAddress,
  log: Log,
  signal: AbortSignal,
): Promise<{ isPooled: boolean }> {
  const { ignored, isPooled } = addressOf(address);
  if (ignored.length > 0)
    log.warn({ parameters: ignored }, 'Parameters in DATABASE_URL that Parley does not know are ignored');
  const session = { isPooled };
  for (let attempt = 0; ; attempt += 1) {
    const client = createClient(address, { max: 1, isPooled: session.isPooled, hasTimeouts: false });
    try {
      session.isPooled ||= await isBehindPooler(client);
      await prepare(client, session.isPooled, log, signal);
      return session;
    } catch (error) {
      if (!session.isPooled && isRefusedByPooler(error)) session.isPooled = true;
      else if (isRefusedByPooler(error) || !isConnectionError(error)) throw toStartupError(error);
      else {
        if (signal.aborted) throw new StartupError('The database does not answer.');
        if (attempt % LOGGED_RETRIES === 0)
          log.warn(
            { error: databaseErrorCode(error) },
            'The database does not answer yet: retrying every second',
          );
        await sleep(CONNECT_RETRY_INTERVAL_MS);
      }
    } finally {
      await client.end({ timeout: 1 });
    }
  }
}

async function prepare(
  client: postgres.Sql,
  isPooled: boolean,
  log: Log,
  signal: AbortSignal,
): Promise<void> {
  await checkServer(client);
  if (isPooled) await checkPooledSession(client);
  await applyMigrations(client, log, signal);
  const applied = await applyFunctions(client, await readFunctions());
  if (applied.length > 0) log.debug({ functions: applied }, 'SQL functions updated');
  if (await ensureEpoch(drizzle(client)))
    log.warn({}, 'The database was restored or moved: created a new epoch, clients must resynchronize');
}

/** A pooler gives its clients process ids of its own: the connection's is not that of the session that serves it. */
async function isBehindPooler(client: postgres.Sql): Promise<boolean> {
  const result = await client<{ pid: number }[]>`select pg_backend_pid() as pid`;
  return result[0]?.pid !== result.state.pid;
}

/** PgBouncer refuses the parameters that Parley sets for its own sessions (`protocol_violation`). */
function isRefusedByPooler(error: unknown): boolean {
  return databaseErrorCode(error) === '08P01' && /startup parameter/.test(String(error));
}
