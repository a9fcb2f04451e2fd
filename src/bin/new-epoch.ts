import { loadConfig } from '../config/index.js';
import { openConfiguredDatabase } from '../database.js';
import { createResources } from '../lib/resources.js';
import { createLog } from '../log.js';
import { createEpochStore, readEpoch } from '../storage/epoch.js';
import { runProgram } from './process.js';

/** How long the command waits for a database that does not answer, in ms. */
const DATABASE_TIMEOUT_MS = 15_000;

/*
 * `npm run new-epoch` gives the database a new epoch, after files of a database were replaced by older ones: clients
 * receive `HISTORY_GAP` or a `HistoryGapEvent`, and fetch a page again. Running instances notice within a second. With
 * the embedded database, it fails while a server runs on it.
 */
await runProgram(async () => {
  const config = loadConfig();
  const log = createLog(config);
  const resources = createResources();
  try {
    const database = await openConfiguredDatabase(
      config,
      log,
      resources,
      AbortSignal.timeout(DATABASE_TIMEOUT_MS),
    );
    await createEpochStore(database).renew(await database.run(readEpoch));
    const epoch = await database.run(readEpoch);
    log.info({ epoch }, 'The database has a new epoch: clients must fetch their pages again');
  } finally {
    await resources.close();
  }
});
