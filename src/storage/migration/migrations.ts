import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type MigrationMeta, readMigrationFiles } from 'drizzle-orm/migrator';
import type postgres from 'postgres';
import type { Log } from '../../domain/ports.js';
import { StartupError } from '../../startup-error.js';
import { databaseErrorCode } from '../errors.js';

/*
 * Applies the migrations of Drizzle's journal, and records them as Drizzle's own migrator does, so that releases before
 * 0.2 find them. That migrator runs all of them in one transaction, which waits for locks on tables without a limit:
 * behind a long transaction, such as that of `pg_dump`, everybody else's statements then wait too.
 */

const FOLDER = fileURLToPath(new URL('../../../drizzle', import.meta.url));
/** One instance migrates at a time. An arbitrary number, the same for all instances and releases. */
const LOCK = 7_265_391;
/** How long a migration waits for a lock, while others wait behind it; then it starts again later. */
const LOCK_TIMEOUT_MS = 500;
const RETRY_INTERVAL_MS = 300;
/** Of the retries: the first and then one in so many is logged, about every 30 s. */
const LOGGED_RETRIES = 40;

/** The key in `meta`: see `refuseNewer`. */
const REQUIRED_MIGRATIONS = 'required_migrations';

/** `lock_not_available`: another instance migrates, or a transaction uses the table. */
const LOCKED = '55P03';
/** Raised below if another instance has applied the migration meanwhile. */
const APPLIED = 'PA001';

/** @throws StartupError if the database was migrated by a release whose tables this one cannot use, or the signal aborts. */
export async function applyMigrations(
  client: postgres.Sql,
  log: Log,
  signal: AbortSignal,
  folder = FOLDER,
): Promise<void> {
  const migrations = readMigrationFiles({ migrationsFolder: folder });
  await prepareJournal(client, log, signal);
  await refuseNewer(client, migrations.length);
  const [last] = await client<{ applied: string | null }[]>`
    select max(created_at) as applied from drizzle.__drizzle_migrations`;
  for (const migration of migrations)
    if (migration.folderMillis > Number(last?.applied ?? 0)) await apply(client, migration, log, signal);
}

/**
 * Tables of a newer release can be used: its migrations only add to them, for one release. A migration that takes something
 * away records how many migrations a release must know from then on.
 */
async function refuseNewer(client: postgres.Sql, known: number): Promise<void> {
  const [found] = await client`select to_regclass('meta') as meta`;
  if (!found?.meta) return;
  const [required] = await client<
    { value: string }[]
  >`select value from meta where key = ${REQUIRED_MIGRATIONS}`;
  if (Number(required?.value ?? 0) > known)
    throw new StartupError(
      'The database was migrated by a newer release, whose tables this one cannot use: start that release or a newer one, or restore a backup from before.',
    );
}

/** Drizzle's table, which is created only if it is missing: an account that may not create anything can start later. */
async function prepareJournal(client: postgres.Sql, log: Log, signal: AbortSignal): Promise<void> {
  const [found] = await client`select to_regclass('drizzle.__drizzle_migrations') as journal`;
  if (found?.journal) return;
  await alone(
    client,
    log,
    signal,
    '',
    `
    CREATE SCHEMA IF NOT EXISTS drizzle;
    CREATE TABLE IF NOT EXISTS drizzle.__drizzle_migrations (
      id SERIAL PRIMARY KEY, hash text NOT NULL, created_at bigint
    );`,
  );
}

function apply(
  client: postgres.Sql,
  { sql, hash, folderMillis }: MigrationMeta,
  log: Log,
  signal: AbortSignal,
): Promise<void> {
  const isApplied = `EXISTS (SELECT FROM drizzle.__drizzle_migrations WHERE created_at >= ${folderMillis})`;
  const statements = sql.map((statement) => statement.trim().replace(/;?$/, ';')).join('\n');
  return alone(
    client,
    log,
    signal,
    `IF ${isApplied} THEN RAISE EXCEPTION 'applied' USING ERRCODE = '${APPLIED}'; END IF;`,
    `${statements}
    INSERT INTO drizzle.__drizzle_migrations (hash, created_at) VALUES ('${hash}', ${folderMillis});`,
  );
}

/**
 * Runs statements in one transaction while no other instance runs any, and tries again for as long as something is locked.
 * They are one message of the simple protocol, which Postgres executes as one transaction; so it ends with its connection,
 * also behind a pooler, and no session holds the lock.
 */
async function alone(
  client: postgres.Sql,
  log: Log,
  signal: AbortSignal,
  condition: string,
  statements: string,
): Promise<void> {
  const text = `
    SET LOCAL lock_timeout = ${LOCK_TIMEOUT_MS};
    SET LOCAL statement_timeout = 0;
    DO $guard$ BEGIN
      IF NOT pg_try_advisory_xact_lock(${LOCK}) THEN
        RAISE EXCEPTION 'Another instance migrates the database.' USING ERRCODE = '${LOCKED}';
      END IF;
      ${condition}
    END $guard$;
    ${statements}`;
  for (let attempt = 0; ; attempt += 1) {
    try {
      await client.unsafe(text).simple();
      return;
    } catch (error) {
      const code = databaseErrorCode(error);
      if (code === APPLIED) return;
      if (code !== LOCKED) throw error;
      if (signal.aborted)
        throw new StartupError('The database could not be migrated: its tables are in use.');
      if (attempt % LOGGED_RETRIES === LOGGED_RETRIES - 1)
        log.warn({ error: String(error) }, 'A migration waits for tables that are in use: retrying');
      await sleep(RETRY_INTERVAL_MS);
    }
  }
}
