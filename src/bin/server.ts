import { createApp } from '../app.js';
import { loadConfig } from '../config.js';
import { createLog } from '../log.js';
import { StartupError } from '../startup-error.js';
import { onNpmGone } from './process.js';

/** A Ctrl-C reaches us twice under npm, from the terminal and from npm: a second signal counts only after this, in ms. */
const SIGNAL_ECHO_MS = 500;

try {
  const config = loadConfig();
  const log = createLog(config);
  const app = await createApp(config, log);
  const signal = nextSignal();
  try {
    const started = await Promise.race([app.ready.then(() => true), signal.then(() => false)]);
    if (started) log.info({ url: app.url, graphiql: config.graphiql, ...app.description }, 'Parley is ready');
    log.info({ signal: await signal }, 'Parley stops');
  } finally {
    await app.close();
  }
} catch (error) {
  if (!(error instanceof StartupError)) throw error;
  console.error(error.message);
  process.exitCode = 1;
}

/** Resolves with the first SIGINT or SIGTERM; that npm is gone means a SIGTERM too. A second one ends the process at once. */
function nextSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let first: number | undefined;
    const onSignal = (signal: NodeJS.Signals): void => {
      if (first !== undefined && Date.now() - first > SIGNAL_ECHO_MS) process.exit(1);
      first ??= Date.now();
      stopWatching();
      resolve(signal);
    };
    const stopWatching = onNpmGone(() => onSignal('SIGTERM'));
    process.on('SIGINT', onSignal);
    process.on('SIGTERM', onSignal);
  });
}
