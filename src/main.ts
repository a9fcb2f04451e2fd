import { createApp } from './app.js';
import { isRunByNpm, loadConfig } from './config.js';
import { createLog } from './log.js';
import { StartupError } from './startup-error.js';

/** A Ctrl-C reaches us twice under npm, from the terminal and from npm: a second signal counts only after this, in ms. */
const SIGNAL_ECHO_MS = 500;
/** How often a process that npm runs looks whether its parent is still there, in ms. */
const PARENT_CHECK_MS = 200;

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

/**
 * Resolves with the first SIGINT or SIGTERM; a second one ends the process at once. A shell of npm's dies of a SIGTERM
 * without passing it on: losing it as our parent means the same, or we would hold port and data as nobody's child.
 */
function nextSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    const parent = process.ppid;
    const watch = setInterval(() => {
      if (process.ppid !== parent) onSignal('SIGTERM');
    }, PARENT_CHECK_MS).unref();
    if (!isRunByNpm()) clearInterval(watch);
    let first: number | undefined;
    const onSignal = (signal: NodeJS.Signals): void => {
      if (first !== undefined && Date.now() - first > SIGNAL_ECHO_MS) process.exit(1);
      first ??= Date.now();
      clearInterval(watch);
      resolve(signal);
    };
    process.on('SIGINT', onSignal);
    process.on('SIGTERM', onSignal);
  });
}
