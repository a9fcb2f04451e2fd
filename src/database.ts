import type { Config } from './config/index.js';
import { startEmbeddedPostgres } from './embedded-postgres/index.js';
import { describePostgres, parsePostgresUrl } from './lib/postgres-url.js';
import type { Resources } from './lib/resources.js';
import type { Logger } from './log.js';
import { type DatabaseAddress, openDatabase, prepareDatabase } from './storage/database.js';
import { buildIndexes } from './storage/migration/indexes.js';
import type { Pool } from './storage/pool.js';
import { fillSkeletons } from './storage/skeletons.js';

/**
 * Opens the configured database: waits until it accepts connections, applies the migrations, and starts what completes its
 * rows in the background. Closing it is added to `resources`.
 *
 * @param address used instead of the configured one.
 * @throws StartupError if the database refuses the connection, or if the signal aborts before it accepts one.
 */
export async function openConfiguredDatabase(
  config: Config,
  log: Logger,
  resources: Resources,
  signal: AbortSignal,
  address?: DatabaseAddress,
): Promise<Pool> {
  const target = address ?? (await databaseAddress(config, log, resources));
  const session = await prepareDatabase(target, log, signal);
  const database = openDatabase(target, { ...session, size: config.databaseConnections });
  resources.add(() => database.close());
  const indexes = buildIndexes(target, session.isPooled, log);
  resources.add(() => indexes.close());
  const skeletons = fillSkeletons(database, log);
  resources.add(() => skeletons.close());
  return database;
}

/** The address of the configured Postgres or, without one, of the embedded Postgres, which is started here. */
async function databaseAddress(
  { databaseUrl, dataDir }: Config,
  log: Logger,
  resources: Resources,
): Promise<DatabaseAddress> {
  if (databaseUrl !== null) return { url: databaseUrl };
  const embedded = await startEmbeddedPostgres({
    dataDir,
    log: (message) => log.info(message),
    onLost: () => log.error('The embedded Postgres has stopped: restart Parley to start it again'),
  });
  resources.add(() => embedded.stop());
  return { connection: embedded.connection };
}

/** The database in use, for the log. Without secrets. */
export function describeDatabase({ databaseUrl, dataDir }: Config): string {
  if (databaseUrl === null) return `embedded Postgres in ${dataDir}`;
  return `Postgres at ${describePostgres(parsePostgresUrl(databaseUrl))}`;
}
