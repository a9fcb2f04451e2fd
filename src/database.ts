import type { Config } from './config.js';
import { startEmbeddedPostgres } from './embedded-postgres/index.js';
import type { Resources } from './lib/resources.js';
import type { Logger } from './log.js';
import { type DatabaseAddress, openDatabase, prepareDatabase } from './storage/database.js';
import type { Pool } from './storage/pool.js';

/**
 * Opens the database of the settings once it answers and its tables are up to date.
 *
 * @param address used in place of what the settings say.
 * @throws StartupError if the database refuses, or does not answer before the signal aborts.
 */
export async function openDatabaseOf(
  config: Config,
  log: Logger,
  resources: Resources,
  signal: AbortSignal,
  address?: DatabaseAddress,
): Promise<Pool> {
  const where = address ?? (await databaseAddress(config, log, resources));
  await prepareDatabase(where, log, signal);
  const database = openDatabase(where);
  resources.add(() => database.close());
  return database;
}

/** The address of the settings' Postgres, or of the embedded one, which is started for it. */
async function databaseAddress(
  { databaseUrl, dataDir }: Config,
  log: Logger,
  resources: Resources,
): Promise<DatabaseAddress> {
  if (databaseUrl !== null) return { url: databaseUrl };
  const embedded = await startEmbeddedPostgres({
    dataDir,
    log: (message) => log.info(message),
    onLost: () => log.error('The embedded Postgres is gone: restart Parley, which starts it again'),
  });
  resources.add(() => embedded.stop());
  return { connection: embedded.connection };
}
