import { createApp } from '../app.js';
import { loadConfig } from '../config/index.js';
import { createLog } from '../log.js';
import { exitAfter, logWarnings, nextSignal, runProgram } from './process.js';

/** How long a stop may take after its drain, in ms. */
const STOP_TIMEOUT_MS = 20_000;

await runProgram(async () => {
  const config = loadConfig();
  const log = createLog(config);
  logWarnings((fields, message) => log.warn(fields, message));
  const app = await createApp(config, log);
  const signal = nextSignal();
  try {
    const isReady = await Promise.race([app.ready.then(() => true), signal.then(() => false)]);
    if (isReady) log.info({ url: app.url, graphiql: config.graphiql, ...app.description }, 'Parley is ready');
    log.info({ signal: await signal }, 'Parley is stopping');
    const timeoutMs = config.drainSeconds * 1000 + STOP_TIMEOUT_MS;
    exitAfter(timeoutMs, () => log.error({ timeoutMs }, 'Parley did not stop in time'));
  } finally {
    await app.close();
  }
});
