import { randomBytes } from 'node:crypto';
import { pino } from 'pino';
import { inject } from 'vitest';
import { type App, createApp, type Overrides } from '../../src/app.js';
import { type Config, readConfig } from '../../src/config/index.js';
import { createTestDatabase, type TestDatabase } from './database.js';
import { stopAtEnd } from './stopping.js';

/** Parley inside the test's process, with the pair of database and bus under test. */
export interface TestParley {
  readonly app: App;
  readonly config: Config;
  /** `http://localhost:PORT/graphql` */
  readonly url: string;
  /** `ws://localhost:PORT/graphql` */
  readonly webSocketUrl: string;
  readonly database: TestDatabase;
  /** The log lines so far. */
  readonly log: readonly string[];
  stop(): Promise<void>;
}

export interface TestParleyOptions {
  /** Settings by their names in the environment; rate limits are off by default. */
  readonly env?: Record<string, string>;
  /** The database to use; a new one by default. Two instances share a database if the second uses that of the first. */
  readonly database?: TestDatabase;
  /** The Redis prefix to use; a new one by default. */
  readonly redisPrefix?: string;
  readonly overrides?: Overrides;
}

const SECRET = 'a secret for tests, longer than 32 bytes';

/** Starts Parley on a free port and waits until it is ready. It is stopped at the end of the test file at the latest. */
export async function startParley(options: TestParleyOptions = {}): Promise<TestParley> {
  const database = options.database ?? (await createTestDatabase());
  const cluster = inject('pair') === 'cluster';
  const config = readConfig({
    PORT: '0',
    HOST: '127.0.0.1',
    JWT_SECRET: SECRET,
    RATE_LIMITS: 'off',
    LOG_LEVEL: 'debug',
    DRAIN_SECONDS: '0',
    ...(cluster
      ? {
          DATABASE_URL: database.url,
          REDIS_URL: inject('redisUrl'),
          REDIS_PREFIX: options.redisPrefix ?? `test-${randomBytes(6).toString('hex')}`,
        }
      : {}),
    ...options.env,
  });
  const log: string[] = [];
  const logger = pino(
    { level: config.logLevel, serializers: { error: pino.stdSerializers.err } },
    { write: (line) => void log.push(line) },
  );
  const app = await createApp(config, logger, {
    // The embedded server has tests of its own; here a database of the run's server replaces it.
    ...(cluster ? {} : { database: { connection: database.connection } }),
    ...options.overrides,
  });
  const stop = async (): Promise<void> => {
    stopped();
    await app.close();
  };
  const stopped = stopAtEnd(stop);
  await app.ready;
  const url = app.url.replace('localhost', '127.0.0.1');
  return { app, config, url, webSocketUrl: url.replace('http', 'ws'), database, log, stop };
}

/**
 * Starts a second instance with the same database and Redis. On the embedded pair it has a bus of its own, so messages sent
 * to the other instance reach it by the periodic comparison with the database.
 */
export function startSibling(parley: TestParley, options: TestParleyOptions = {}): Promise<TestParley> {
  return startParley({
    database: parley.database,
    redisPrefix: parley.config.redisPrefix,
    ...options,
  });
}
