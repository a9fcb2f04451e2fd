import { randomBytes } from 'node:crypto';
import postgres from 'postgres';
import { expect, inject, test } from 'vitest';
import { at, connect, LOBBY, page, send, signUp, subscribe } from '../helpers/client.js';
import { createTestDatabase } from '../helpers/database.js';
import { startPgBouncer } from '../helpers/pgbouncer.js';
import { runParley } from '../helpers/process.js';

const settings = (url: string) => ({
  DATABASE_URL: url,
  REDIS_URL: inject('redisUrl'),
  REDIS_PREFIX: `test-${randomBytes(6).toString('hex')}`,
  JWT_SECRET: 'a secret for tests, longer than 32 bytes',
  RATE_LIMITS: 'off',
  NODE_ENV: 'production',
  LOG_LEVEL: 'debug',
});

test.each(['session', 'transaction'] as const)(
  'two instances behind PgBouncer in %s mode start, deliver and restart',
  async (mode) => {
    const database = await createTestDatabase();
    const pooler = await startPgBouncer(database.url, mode);
    const env = settings(pooler.url);
    const [here, there] = await Promise.all([runParley(env), runParley(env)]);
    const [{ url }, other] = await Promise.all([here.ready, there.ready]);
    const [alice, bob] = await Promise.all([signUp(url), signUp(other.url)]);
    const { liveCursor } = await page(alice, LOBBY);
    const client = connect(url.replace('http', 'ws'), { token: alice.token });
    const subscription = subscribe(client, LOBBY, liveCursor);

    // Enough at once that statements of one client go to many of the pooler's connections.
    const sends = Array.from({ length: 200 }, (_, index) =>
      send(index % 2 ? at(other.url, alice) : bob, LOBBY, `message ${index}`),
    );
    const sent = await Promise.all(sends);

    const received = await subscription.received(200);
    expect(received.map(({ node }) => node.id).sort()).toEqual(sent.map(({ node }) => node.id).sort());
    for (const { node } of received)
      expect(Math.abs(Date.parse(node.createdAt) - Date.now())).toBeLessThan(60_000);
    expect(await there.stop()).toEqual({ code: 0, signal: null });
    // The migration lock was not leaked to one of the pooler's connections.
    const again = await runParley(env);
    await again.ready;
    expect(await again.stop()).toEqual({ code: 0, signal: null });
    expect(await here.stop()).toEqual({ code: 0, signal: null });
    expect(here.output()).not.toMatch(/"level":(?:50|60|"error"|"fatal")/);
    await pooler.stop();
  },
  60_000,
);

test('defaults that Parley cannot set behind a pooler end the start with the commands that do', async () => {
  const database = await createTestDatabase();
  const sql = postgres({ ...database.connection, max: 1 });
  for (const setting of [
    "default_transaction_isolation = 'serializable'",
    "synchronous_commit = 'off'",
    "search_path = ''",
    "DateStyle = 'German, DMY'",
  ])
    await sql.unsafe(`alter database ${database.name} set ${setting}`);
  const pooler = await startPgBouncer(database.url, 'transaction');
  const parley = await runParley(settings(pooler.url));
  expect(await parley.exited).toEqual({ code: 1, signal: null });
  const lines = parley.output().trim().split('\n');
  expect(lines).toHaveLength(1);
  // PgBouncer keeps the date style apart for each client, so Parley sets it itself.
  expect(lines[0]).toMatch(
    /^Behind a connection pooler, .*: ALTER ROLE "?\w+"? SET default_transaction_isolation = 'read committed'; ALTER ROLE "?\w+"? SET synchronous_commit = 'on'; ALTER ROLE "?\w+"? SET search_path = public;$/,
  );

  const [, commands = ''] = lines[0]?.split('reconnect the pooler: ') ?? [];
  const [role] = await sql`select current_user as name`;
  // Of this database only: the role is shared by all tests.
  for (const command of commands.split(';').filter((each) => each.trim()))
    await sql.unsafe(command.replace(/ SET /, ` IN DATABASE ${database.name} SET `));
  await pooler.stop();
  const reconnected = await startPgBouncer(database.url, 'transaction');
  const cured = await runParley(settings(reconnected.url));
  const { url } = await cured.ready;
  const alice = await signUp(url);
  await send(alice, LOBBY, 'works');
  expect(role).toBeDefined();
  await cured.stop();
  await sql.end();
  await reconnected.stop();
}, 60_000);

test('a parameter that PgBouncer refuses ends the start with one line', async () => {
  const database = await createTestDatabase();
  const pooler = await startPgBouncer(database.url, 'transaction');
  const parley = await runParley(settings(`${pooler.url}?options=-c%20work_mem%3D8MB`));
  expect(await parley.exited).toEqual({ code: 1, signal: null });
  expect(parley.output().trim().split('\n')).toEqual([
    expect.stringMatching(/unsupported startup parameter: options: remove it from DATABASE_URL/),
  ]);
  await pooler.stop();
}, 30_000);
