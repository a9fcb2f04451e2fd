import { createApp } from '../app.js';
import { loadConfig } from '../config.js';
import { createLog } from '../log.js';
import { nextSignal, runProgram } from './process.js';

await runProgram(async () => {
  const config = loadConfig();
  const log = createLog(config);
  const app = await createApp(config, log);
  const signal = nextSignal();
  try {
    const isReady = await Promise.race([app.ready.then(() => true), signal.then(() => false)]);
    if (isReady) log.info({ url: app.url, graphiql: config.graphiql, ...app.description }, 'Parley is ready');
    log.info({ signal: await signal }, 'Parley is stopping');
  } finally {
    await app.close();
  }
});
