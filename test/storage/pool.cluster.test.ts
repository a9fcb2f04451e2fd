import { sql } from 'drizzle-orm';
import postgres from 'postgres';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { ServiceUnavailableError } from '../../src/domain/errors.js';
import { openDatabase } from '../../src/storage/database.js';
import { createPool, type Database, DEFAULT_POOL_SIZE, type Pool } from '../../src/storage/pool.js';
import { createStore } from '../../src/storage/store.js';
import { createTestDatabase, type TestDatabase } from '../helpers/database.js';
import { startTcpProxy, type TcpProxy } from '../helpers/tcp-proxy.js';

const LOCK = 4711;

let database: TestDatabase;
let proxy: TcpProxy;
let pool: Pool;
/** The test's own connection, which holds the lock. */
let direct: postgres.Sql;

beforeAll(async () => {
  database = await createTestDatabase();
  direct = postgres(database.url, { max: 1, fetch_types: false });
  await direct`create table notes (text text)`;
});
afterAll(() => direct.end());

beforeEach(async () => {
  await direct`truncate notes`;
  proxy = await startTcpProxy(Number(new URL(database.url).port));
  pool = openDatabase({ url: throughProxy() });
});
afterEach(async () => {
  await direct`select pg_advisory_unlock_all()`;
  await pool.close();
  await proxy.stop();
});

function throughProxy(): string {
  const url = new URL(database.url);
  url.port = String(proxy.port);
  return url.href;
}

const hold = () => direct`select pg_advisory_lock(${LOCK})`;
const wait = (db: Database) => db.execute(sql`select pg_advisory_xact_lock(${LOCK})`);
const waiting = async () =>
  (await direct`select from pg_stat_activity where datname = current_database() and wait_event = 'advisory'`)
    .length;

const terminateWaiting = () =>
  direct`select pg_terminate_backend(pid) from pg_stat_activity
    where datname = current_database() and wait_event = 'advisory'`;

async function millisecondsOf(action: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await action();
  return performance.now() - start;
}

/** Two methods with the same effect: they wait for the lock, then insert a row. */
function notes() {
  const write = (db: Database) => async (text: string) => {
    await db.execute(sql`with waited as materialized (select pg_advisory_xact_lock(${LOCK}))
      insert into notes select ${text} from waited`);
  };
  const policies = {
    atMostOnce: { retry: 'at-most-once', turn: 'write' },
    idempotent: { retry: 'idempotent', turn: 'write' },
  } as const;
  return createStore(pool, policies, (db) => ({
    atMostOnce: write(db),
    idempotent: write(db),
  }));
}

test('a call that waits five seconds for a free connection is rejected, and later calls succeed once one is free', async () => {
  await hold();
  const longer = sql`select set_config('lock_timeout', '0', true), pg_advisory_xact_lock(${LOCK})`;
  const taken = Array.from({ length: DEFAULT_POOL_SIZE }, () => pool.run((db) => db.execute(longer)));
  await expect.poll(waiting, { timeout: 5000 }).toBe(DEFAULT_POOL_SIZE);
  const late = await millisecondsOf(() => expect(pool.ping()).rejects.toThrow(ServiceUnavailableError));
  expect(late).toBeLessThan(6500);
  await direct`select pg_advisory_unlock_all()`;
  await Promise.all(taken);
  await pool.ping();
});

test('an idempotent call whose connection is lost is retried, and an at-most-once call is rejected as unavailable', async () => {
  const { atMostOnce, idempotent } = notes();
  await hold();
  const calls = Promise.allSettled([atMostOnce('at most once'), idempotent('idempotent')]);
  await expect.poll(waiting, { timeout: 5000 }).toBe(2);
  await terminateWaiting();
  await direct`select pg_advisory_unlock_all()`;
  const [first, second] = await calls;
  expect(first).toMatchObject({ status: 'rejected', reason: expect.any(ServiceUnavailableError) });
  expect(second).toMatchObject({ status: 'fulfilled' });
  expect(await direct`select text from notes`).toEqual([{ text: 'idempotent' }]);
});

test('at-most-once calls run right after connections were lost during calls', async () => {
  const { atMostOnce } = notes();
  await hold();
  const lost = Array.from({ length: DEFAULT_POOL_SIZE }, () => pool.run(wait).catch(() => {}));
  await expect.poll(waiting, { timeout: 5000 }).toBe(DEFAULT_POOL_SIZE);
  proxy.cut();
  await Promise.all(lost);
  await direct`select pg_advisory_unlock_all()`;
  const texts = Array.from({ length: 30 }, (_, index) => `${index}`);
  await Promise.all(texts.map(atMostOnce));
  expect(await direct`select text from notes`).toHaveLength(30);
});

test('idempotent calls on idle connections that the server has just closed are retried', async () => {
  const { idempotent } = notes();
  const texts = Array.from({ length: DEFAULT_POOL_SIZE }, (_, index) => `${index}`);
  await Promise.all(texts.map(idempotent));
  await direct`select pg_terminate_backend(pid) from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid()`;
  await Promise.all(texts.map(idempotent));
  expect(await direct`select text from notes`).toHaveLength(2 * DEFAULT_POOL_SIZE);
});

test('the pool gives up on a database that stops answering, and opens new connections', async () => {
  const quick = createPool(
    () => postgres(throughProxy(), { max: DEFAULT_POOL_SIZE, fetch_types: false, connect_timeout: 1 }),
    { callTimeoutMs: 500 },
  );
  await quick.ping();
  proxy.swallow();
  await expect(quick.ping()).rejects.toThrow(ServiceUnavailableError);
  proxy.restore();
  await quick.ping();
  expect(await millisecondsOf(() => quick.close())).toBeLessThan(2500);
});

test('the pool closes within its deadline while a call hangs, while the database is unavailable, and after lost connections', async () => {
  await hold();
  const hanging = expect(pool.run(wait)).rejects.toMatchObject({ cause: { code: 'CONNECTION_DESTROYED' } });
  await expect.poll(waiting, { timeout: 5000 }).toBe(1);
  expect(await millisecondsOf(() => pool.close())).toBeLessThan(2500);
  await hanging;
  // The server has not noticed the closed connection yet.
  await terminateWaiting();
  await expect.poll(waiting, { timeout: 5000 }).toBe(0);

  const cut = openDatabase({ url: throughProxy() });
  const lost = expect(cut.run(wait)).rejects.toMatchObject({ cause: { code: 'CONNECTION_CLOSED' } });
  await expect.poll(waiting, { timeout: 5000 }).toBe(1);
  proxy.cut();
  await lost;
  await cut.ping();
  expect(await millisecondsOf(() => cut.close())).toBeLessThan(1500);

  const away = openDatabase({ url: throughProxy() });
  await away.ping();
  await proxy.stop();
  await away.ping().catch(() => {});
  await expect(away.ping()).rejects.toMatchObject({ cause: { code: 'ECONNREFUSED' } });
  expect(await millisecondsOf(() => away.close())).toBeLessThan(1500);
});
