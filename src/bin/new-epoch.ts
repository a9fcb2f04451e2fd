import { renewEpoch } from '../app.js';
import { loadConfig } from '../config.js';
import { createLog } from '../log.js';
import { StartupError } from '../startup-error.js';

/*
 * `npm run new-epoch`, to be run where files of a database were put in the place of newer ones: every client is told
 * that its history was reset, and fetches it again.
 */
try {
  const config = loadConfig();
  await renewEpoch(config, createLog(config));
} catch (error) {
  if (!(error instanceof StartupError)) throw error;
  console.error(error.message);
  process.exitCode = 1;
}
