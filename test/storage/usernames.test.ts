import postgres from 'postgres';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { newId } from '../../src/domain/id.js';
import { usernameSkeleton } from '../../src/domain/text/username.js';
import type { User } from '../../src/domain/user.js';
import { openDatabase, prepareDatabase } from '../../src/storage/database.js';
import type { Pool } from '../../src/storage/pool.js';
import { fillSkeletons } from '../../src/storage/skeletons.js';
import { createUserStore } from '../../src/storage/user.js';
import { addressOf, createTestDatabase, type TestDatabase } from '../helpers/database.js';

/** Usernames that look alike. */

const log = { debug: vi.fn(), info: vi.fn(), warn: vi.fn(), error: vi.fn() };
let database: TestDatabase;
let sql: postgres.Sql;
let pool: Pool;
let pools: readonly Pool[];

beforeEach(async () => {
  database = await createTestDatabase();
  await prepareDatabase(addressOf(database), log, new AbortController().signal);
  sql = postgres({ ...database.connection, max: 1, onnotice: () => {} });
  pool = openDatabase(addressOf(database));
  pools = [pool, openDatabase(addressOf(database))];
});
afterEach(() => Promise.all([...pools.map((pool) => pool.close()), sql.end()]));

function create(username: string, instance = pool): Promise<User | null> {
  const user = { id: newId(), username, displayName: username, passwordHash: '-' };
  return createUserStore(instance).create(user);
}

/** An account of a release that knows no skeletons. */
async function createOlder(username: string): Promise<void> {
  await sql`insert into users (id, username, username_key, display_name, password_hash)
    values (${newId()}, ${username}, ${username}, ${username}, '-')`;
}

async function untilFilled(count: number): Promise<void> {
  await vi.waitFor(async () => {
    const [filled] = await sql`select count(username_skeleton)::int as count from users`;
    expect(filled).toEqual({ count });
  }, 10_000);
}

test('of fifty sign-ups at two instances with two names that look alike, one succeeds', async () => {
  const [cyrillic, greek] = ['аррӏе', 'ΑΡΡΙΕ'];
  const names = Array.from({ length: 50 }, (_, index) => (index % 4 < 2 ? cyrillic : greek));
  const created = await Promise.all(names.map((name, index) => create(name, pools[index % 2])));
  expect(created.filter((user) => user !== null)).toHaveLength(1);
});

test('a name of ASCII characters cannot be kept from anybody by one that looks like it', async () => {
  expect(await create('аррӏе')).not.toBeNull();
  expect(await create('apple')).not.toBeNull();
  expect(await create('ΑΡΡΙΕ')).toBeNull();
});

test('existing accounts get their skeletons in the background, in batches', async () => {
  await sql`insert into users (id, username, username_key, display_name, password_hash)
    select gen_random_uuid(), 'older' || n, 'older' || n, '-', '-' from generate_series(1, 1200) n`;
  await createOlder('apple');
  const fills = pools.map((pool) => fillSkeletons(pool, log));
  await untilFilled(1201);
  await Promise.all(fills.map((fill) => fill.close()));
  expect(await create('аррӏе')).toBeNull();
  const [older] = await sql`select username_skeleton from users where username = 'older7'`;
  expect(older).toEqual({ username_skeleton: usernameSkeleton('older7') });
});

test('an account that an older release creates meanwhile gets its skeleton within a minute', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  const fill = fillSkeletons(pool, log);
  await createOlder('apple');
  await vi.advanceTimersByTimeAsync(60_000);
  await untilFilled(1);
  vi.useRealTimers();
  await fill.close();
});

test('a failure is logged, and does not end the attempts', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  await sql`alter table users rename to others`;
  const fill = fillSkeletons(pool, log);
  await vi.waitFor(() => expect(log.warn).toHaveBeenCalledOnce());
  await sql`alter table others rename to users`;
  await createOlder('apple');
  await vi.advanceTimersByTimeAsync(60_000);
  await untilFilled(1);
  vi.useRealTimers();
  await fill.close();
});
