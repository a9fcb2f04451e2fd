import { randomBytes } from 'node:crypto';
import { Redis } from 'ioredis';
import postgres from 'postgres';
import { expect, test } from 'vitest';
import { createTestDatabase } from '../helpers/database.js';
import { freePort } from '../helpers/free-port.js';
import { runParley } from '../helpers/process.js';
import { startRedis } from '../helpers/redis-server.js';
import { failUnexpectedly, hashesIn, linesWithSecrets, useEverySecret } from '../helpers/secrets.js';

const DATABASE_PASSWORD = 'password/of@database';
const REDIS_PASSWORD = 'password/of@redis';
const JWT_SECRET = 'signs-the-tokens-of-this-test-for-a-while';
const OPERATORS = [DATABASE_PASSWORD, REDIS_PASSWORD, JWT_SECRET];

function withPassword(url: string, password: string): string {
  const given = new URL(url);
  // Encoded as in the URL.
  given.password = encodeURIComponent(password);
  return given.href;
}

test('no log line contains a secret of a client or an operator', async () => {
  const database = await createTestDatabase();
  const redis = await startRedis({ args: ['--requirepass', REDIS_PASSWORD] });
  const redisUrl = withPassword(redis.url, REDIS_PASSWORD);
  const parley = await runParley({
    DATABASE_URL: withPassword(database.url, DATABASE_PASSWORD),
    REDIS_URL: redisUrl,
    REDIS_PREFIX: `test-${randomBytes(6).toString('hex')}`,
    JWT_SECRET,
    LOG_LEVEL: 'trace',
    DRAIN_SECONDS: '0',
  });
  const { url } = await parley.ready;
  const sql = postgres({ ...database.connection, max: 1, onnotice: () => {} });
  const secrets = await useEverySecret(url, JWT_SECRET);
  await failUnexpectedly(url, sql);

  // Redis rejects the password for a while.
  const admin = new Redis(redisUrl);
  await admin.config('SET', 'requirepass', 'another');
  for (const type of ['normal', 'pubsub'] as const) await admin.client('KILL', 'TYPE', type);
  await expect.poll(() => parley.output(), { timeout: 5000 }).toContain('Redis is unreachable');
  await admin.config('SET', 'requirepass', REDIS_PASSWORD);
  await expect.poll(() => parley.output(), { timeout: 5000 }).toContain('Redis is reachable again');
  admin.disconnect();

  await sql`select pg_terminate_backend(pid) from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid()`;
  await parley.stop();

  for (const part of ['Parley is ready', 'Unexpected error', 'Parley is stopping'])
    expect(parley.output()).toContain(part);
  expect(linesWithSecrets(parley.output(), [...OPERATORS, ...secrets, ...(await hashesIn(sql))])).toEqual([]);
  await sql.end();
  await redis.stop();
}, 60_000);

test('failed starts and commands do not print the secrets in the settings', async () => {
  const database = await createTestDatabase();
  const settings = {
    DATABASE_URL: withPassword(database.url, DATABASE_PASSWORD),
    REDIS_URL: withPassword(`redis://127.0.0.1:${await freePort()}`, REDIS_PASSWORD),
    JWT_SECRET,
    LOG_LEVEL: 'trace',
  };
  const unreachable = withPassword(
    `postgres://parley@127.0.0.1:${await freePort()}/parley`,
    DATABASE_PASSWORD,
  );
  const wrong = {
    DATABASE_URL: settings.DATABASE_URL.replace('postgres:', 'mysql:'),
    REDIS_URL: settings.REDIS_URL.replace('redis:', 'http:'),
    JWT_SECRET: JWT_SECRET.slice(0, 31),
  };
  const starts = await Promise.all([
    runParley({ ...settings, DATABASE_URL: settings.DATABASE_URL.replace('test_', 'no_') }),
    runParley({ ...settings, DATABASE_URL: unreachable }),
    runParley({ ...settings, ...wrong }),
    runParley(settings, { script: 'new-epoch.js' }),
    // With a Redis that is unreachable.
    runParley(settings),
  ]);
  const messages = [
    'The database refused the connection',
    'The database does not answer yet',
    'JWT_SECRET must be at least 32 bytes',
    'The database has a new epoch',
    'Redis is unreachable',
  ];
  for (const [index, parley] of starts.entries()) {
    await expect.poll(() => parley.output(), { timeout: 20_000 }).toContain(messages[index]);
    await parley.stop();
    expect(linesWithSecrets(parley.output(), [...OPERATORS, wrong.JWT_SECRET])).toEqual([]);
  }
}, 60_000);
