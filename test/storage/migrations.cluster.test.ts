import { cp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { getTableConfig } from 'drizzle-orm/pg-core';
import { drizzle } from 'drizzle-orm/postgres-js';
import { migrate } from 'drizzle-orm/postgres-js/migrator';
import postgres from 'postgres';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { openDatabase, prepareDatabase } from '../../src/storage/database.js';
import { createMessageStore } from '../../src/storage/message/store.js';
import { BACKGROUND_INDEXES, buildIndexes } from '../../src/storage/migration/indexes.js';
import { applyMigrations } from '../../src/storage/migration/migrations.js';
import { users } from '../../src/storage/tables.js';
import { createTestDatabase, type TestDatabase } from '../helpers/database.js';
import { type TemporaryFolder, temporaryFolder } from '../helpers/temporary-folder.js';

/** How the tables get from one release to the next while others use them. */

const MIGRATIONS = fileURLToPath(new URL('../../drizzle', import.meta.url));
const log = { debug: vi.fn(), info: vi.fn(), warn: vi.fn(), error: vi.fn() };

let database: TestDatabase;
let sql: postgres.Sql;
let folder: TemporaryFolder;

beforeEach(async () => {
  database = await createTestDatabase();
  sql = postgres({ ...database.connection, max: 5, onnotice: () => {} });
  folder = temporaryFolder('migrations');
});
afterEach(async () => {
  await sql.end();
  await folder.clear();
});

const start = (url = database.url, signal = new AbortController().signal) =>
  prepareDatabase({ url }, log, signal);

/** The migrations of this release, and another one. */
async function withMigration(statements: string): Promise<string> {
  await cp(MIGRATIONS, folder.path, { recursive: true });
  const file = join(folder.path, 'meta/_journal.json');
  const journal = JSON.parse(await readFile(file, 'utf8'));
  const { idx, when } = journal.entries.at(-1);
  journal.entries.push({ idx: idx + 1, version: '7', when: when + 1000, tag: 'next', breakpoints: true });
  await writeFile(file, JSON.stringify(journal));
  await writeFile(join(folder.path, 'next.sql'), statements);
  return folder.path;
}

async function applied(): Promise<number> {
  const [row] = await sql<
    { count: number }[]
  >`select count(*)::int as count from drizzle.__drizzle_migrations`;
  return row?.count ?? 0;
}

async function migrateTo(path: string): Promise<void> {
  const client = postgres({ ...database.connection, max: 1, onnotice: () => {} });
  try {
    await applyMigrations(client, log, new AbortController().signal, path);
  } finally {
    await client.end();
  }
}

test('instances that start together apply each migration once', async () => {
  await Promise.all(Array.from({ length: 5 }, () => start()));
  const journal = JSON.parse(await readFile(join(MIGRATIONS, 'meta/_journal.json'), 'utf8'));
  expect(await applied()).toBe(journal.entries.length);
});

test('a migration waits for a table that is in use, and nobody waits behind it', async () => {
  await start();
  const path = await withMigration('ALTER TABLE "users" ADD COLUMN "next" text;');
  const before = await applied();
  // As `pg_dump` does.
  const reader = await sql.reserve();
  await reader`begin`;
  await reader`select from users`;
  const migrating = migrateTo(path);
  const waits: number[] = [];
  for (let count = 0; count < 15; count += 1) {
    const begin = performance.now();
    await sql`select from users where username = 'somebody'`;
    waits.push(performance.now() - begin);
    await sleep(100);
  }
  expect(await applied()).toBe(before);
  expect(Math.max(...waits)).toBeLessThan(900);
  await reader`commit`;
  reader.release();
  await migrating;
  expect(await applied()).toBe(before + 1);
  await sql`select next from users`;
});

test('a migration that fails leaves nothing behind', async () => {
  await start();
  const before = await applied();
  const path = await withMigration(
    'CREATE TABLE "half" ("id" text);--> statement-breakpoint\nALTER TABLE "missing" ADD COLUMN "x" text;',
  );
  await expect(migrateTo(path)).rejects.toThrow('relation "missing" does not exist');
  expect(await applied()).toBe(before);
  await expect(sql`select from half`).rejects.toThrow('relation "half" does not exist');
});

test('an instance of the previous release starts on the tables of this one, and the other way round', async () => {
  await start();
  const before = await applied();
  const client = postgres({ ...database.connection, max: 1, onnotice: () => {} });
  await migrate(drizzle(client), { migrationsFolder: MIGRATIONS });
  await client.end();
  expect(await applied()).toBe(before);

  await migrateTo(await withMigration('ALTER TABLE "users" ADD COLUMN "next" text;'));
  await start();
  expect(await applied()).toBe(before + 1);
});

test('tables that a newer release has made unusable are refused', async () => {
  await start();
  await sql`update meta set value = '8' where key = 'required_migrations'`;
  await start();
  await sql`update meta set value = '999' where key = 'required_migrations'`;
  await expect(start()).rejects.toThrow(
    'The database was migrated by a newer release, whose tables this one cannot use',
  );
});

test('an error names the rights that a role lacks; without them, it can start later', async () => {
  const role = `weak_${database.name}`;
  await sql.unsafe(`create role ${role} login`);
  const url = new URL(database.url);
  url.username = role;
  await expect(start(url.href)).rejects.toMatchObject({
    name: 'StartupError',
    message: expect.stringMatching(
      /permission denied .*GRANT CREATE ON DATABASE and GRANT USAGE, CREATE ON SCHEMA public/,
    ),
  });

  await start();
  await sql.unsafe(`grant usage on schema drizzle to ${role};
    grant select on drizzle.__drizzle_migrations to ${role};
    grant select, insert, update, delete on all tables in schema public to ${role}`);
  await start(url.href);
  await sql.unsafe(`drop owned by ${role}`);
  await sql.unsafe(`drop role ${role}`);
});

test('a server that does not tell its identity is used without it', async () => {
  const role = `tenant_${database.name}`;
  await sql.unsafe(`create role ${role} login;
    grant create on database ${database.name} to ${role};
    grant create on schema public to ${role};
    revoke execute on function pg_control_system() from public`);
  const url = new URL(database.url);
  url.username = role;
  await start(url.href);
  await start(url.href);
  const keys = async () => (await sql`select key from meta order by key`).map(({ key }) => key);
  expect(await keys()).toEqual(['database', 'epoch', 'required_migrations']);
  const pool = openDatabase({ url: url.href });
  const { epoch, isMoved } = await createMessageStore(pool).compareHeads([]);
  expect({ epoch, isMoved }).toEqual({ epoch: expect.stringMatching(/^[\da-f]{16}$/), isMoved: false });
  await pool.close();

  // An identity that becomes known is recorded, without a new epoch.
  await sql.unsafe('grant execute on function pg_control_system() to public');
  await start(url.href);
  expect(await keys()).toHaveLength(4);
  expect((await sql`select value from meta where key = 'epoch'`)[0]).toEqual({ value: epoch });
  await sql.unsafe(`drop owned by ${role} cascade; drop role ${role}`);
});

test('a database with another encoding is refused', async () => {
  const name = `${database.name}_ascii`;
  await sql.unsafe(`create database ${name} encoding 'SQL_ASCII' locale 'C' template template0`);
  const url = new URL(database.url);
  url.pathname = `/${name}`;
  await expect(start(url.href)).rejects.toThrow(`The database ${name} has the encoding SQL_ASCII`);
  await sql.unsafe(`drop database ${name} with (force)`);
});

test.each([
  [
    'a wrong password',
    (url: URL) => Object.assign(url, { username: 'nobody_at_all' }),
    /role "nobody_at_all"/,
  ],
  [
    'a missing database',
    (url: URL) => Object.assign(url, { pathname: '/missing' }),
    /create it with CREATE DATABASE/,
  ],
])('%s ends the start', async (_name, change, message) => {
  await expect(start(change(new URL(database.url)).href)).rejects.toMatchObject({
    name: 'StartupError',
    message: expect.stringMatching(message),
  });
});

test('a start that waits for tables in use ends when it is stopped', async () => {
  await start();
  const path = await withMigration('ALTER TABLE "users" ADD COLUMN "next" text;');
  const reader = await sql.reserve();
  await reader`begin`;
  await reader`select from users`;
  const client = postgres({ ...database.connection, max: 1, onnotice: () => {} });
  await expect(applyMigrations(client, log, AbortSignal.timeout(300), path)).rejects.toThrow(
    'The database could not be migrated: its tables are in use.',
  );
  await reader`rollback`;
  reader.release();
  await client.end();
});

/** The indexes that are built after the start, with their states. */
const indexes = () => sql`
  select relname as name, indisvalid as valid from pg_index join pg_class on pg_class.oid = indexrelid
  where relname in ${sql(BACKGROUND_INDEXES.map(({ name }) => name))} order by relname`;
const COMPLETE = BACKGROUND_INDEXES.map(({ name }) => ({ name, valid: true })).toSorted((a, b) =>
  a.name < b.name ? -1 : 1,
);

test('large indexes are built after the start, also by two instances at once', async () => {
  await start();
  expect(await indexes()).toEqual([]);
  const builds = [1, 2].map(() => buildIndexes({ url: database.url }, false, log));
  await expect.poll(indexes, { timeout: 10_000 }).toEqual(COMPLETE);
  await Promise.all(builds.map((build) => build.close()));
});

test('an open snapshot delays indexes, but neither the start nor a stop nor anybody else', async () => {
  await start();
  const reader = await sql.reserve();
  await reader`begin isolation level repeatable read`;
  await reader`select from users`;
  const build = buildIndexes({ url: database.url }, false, log);
  await sleep(300);
  expect(await indexes()).not.toEqual(COMPLETE);
  const begin = performance.now();
  await sql`insert into users (id, username, username_key, display_name, password_hash)
    values (gen_random_uuid(), 'ada', 'ada', 'Ada', '-')`;
  await build.close();
  expect(performance.now() - begin).toBeLessThan(2000);

  // What the stopped build has left is invalid, and is built again.
  const again = buildIndexes({ url: database.url }, false, log);
  await reader`commit`;
  reader.release();
  await again.done;
  expect(await indexes()).toEqual(COMPLETE);
});

test('an invalid index is built again', async () => {
  await start();
  await buildIndexes({ url: database.url }, false, log).done;
  await sql`update pg_index set indisvalid = false where indexrelid = 'users_username_skeleton'::regclass`;
  await buildIndexes({ url: database.url }, false, log).done;
  expect(await indexes()).toEqual(COMPLETE);
});

test('indexes that are built after the start are those of the table', () => {
  const { indexes: defined } = getTableConfig(users);
  const named = defined.map(({ config: { name } }) => name);
  for (const { name } of BACKGROUND_INDEXES) expect(named).toContain(name);
});
