import { cp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { drizzle } from 'drizzle-orm/postgres-js';
import { migrate } from 'drizzle-orm/postgres-js/migrator';
import postgres from 'postgres';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { newId } from '../../src/domain/id.js';
import type { Log } from '../../src/domain/ports.js';
import { prepareDatabase } from '../../src/storage/database.js';
import { applyFunctions, readFunctions } from '../../src/storage/functions.js';
import { addressOf, createTestDatabase, openStores, type TestDatabase } from '../helpers/database.js';
import { temporaryFolder } from '../helpers/temporary-folder.js';

/** Which release of each SQL function a start applies. */

let database: TestDatabase;
let sql: postgres.Sql;

beforeEach(async () => {
  database = await createTestDatabase();
  sql = postgres({ ...database.connection, max: 1, onnotice: () => {} });
});
afterEach(() => sql.end());

/** Starts an instance as far as the database goes. Returns the functions that it applied. */
async function start(): Promise<unknown[]> {
  const applied: unknown[] = [];
  const log: Log = {
    debug: (fields) => void ('functions' in fields && applied.push(fields.functions)),
    info: () => {},
    warn: () => {},
    error: () => {},
  };
  await prepareDatabase(addressOf(database), log, new AbortController().signal);
  return applied;
}

/** The functions in the database: their bodies by their names. */
async function bodies(): Promise<Map<string, string>> {
  const rows = await sql<{ proname: string; prosrc: string }[]>`
    select proname, prosrc from pg_proc where pronamespace = 'public'::regnamespace order by proname`;
  return new Map(rows.map(({ proname, prosrc }) => [proname, prosrc]));
}

/** The content of the files, in the form of `bodies`. */
async function definedBodies(): Promise<Map<string, string>> {
  const functions = await readFunctions();
  return new Map(functions.map(({ name, definition }) => [name, definition.split('$$')[1] ?? '']));
}

const releaseOf = async (name: string) =>
  (await sql`select release from function_releases where name = ${name}`)[0]?.release;

/** Puts another body in the place of join_room's, under this release. */
async function replaceJoinRoom(release: number): Promise<string> {
  const body = ` BEGIN RAISE 'release ${release}'; END `;
  await sql.unsafe(`create or replace function join_room(p_room_id uuid, p_user_id uuid, p_message_id uuid)
    returns table (outcome text, epoch text, message messages) language plpgsql as $$${body}$$`);
  await sql`update function_releases set release = ${release} where name = 'join_room'`;
  return body;
}

test('a start applies every function to an empty database, and the next start applies none', async () => {
  const functions = await readFunctions();
  expect(await start()).toEqual([functions.map(({ name }) => name)]);
  expect(await bodies()).toEqual(await definedBodies());
  const releases = await sql`select name, release from function_releases order by name`;
  expect([...releases]).toEqual(functions.map(({ name, release }) => ({ name, release })));
  expect(await start()).toEqual([]);
});

test('ten instances that start together apply a newer release once', async () => {
  await start();
  await replaceJoinRoom(0);
  const applied = await Promise.all(Array.from({ length: 10 }, start));
  expect(applied.flat()).toEqual([['join_room']]);
  expect(await bodies()).toEqual(await definedBodies());
  expect(await releaseOf('join_room')).toBe(
    (await readFunctions()).find(({ name }) => name === 'join_room')?.release,
  );
});

test('an older release never replaces a newer one, also if ten old instances start together', async () => {
  await start();
  const newer = await replaceJoinRoom(1_000);
  const applied = await Promise.all(Array.from({ length: 10 }, start));
  expect(applied.flat()).toEqual([]);
  expect((await bodies()).get('join_room')).toBe(newer);
  expect(await releaseOf('join_room')).toBe(1_000);
});

test('each release is applied once even without the migration lock', async () => {
  await start();
  const functions = (await readFunctions()).map((each) => ({ ...each, release: each.release + 1 }));
  const clients = Array.from({ length: 5 }, () => postgres({ ...database.connection, max: 1 }));
  const applied = await Promise.all(clients.map((client) => applyFunctions(client, functions)));
  expect(applied.flat().sort()).toEqual(functions.map(({ name }) => name));
  await Promise.all(clients.map((client) => client.end()));
});

test('a start takes over the functions of a database that only migrations have created', async () => {
  const folder = temporaryFolder('migrations');
  await migrateUpTo(4, folder.path);
  const before = await bodies();
  expect([...before.keys()]).toEqual(['edit_message', 'join_room', 'remove_member', 'send_messages']);
  const [author, roomId] = [newId(), newId()];
  await sql`insert into users (id, username, username_key, display_name, password_hash)
    values (${author}, 'alice', 'alice', 'Alice', '')`;
  await sql`insert into rooms (id, kind) values (${roomId}, 'PUBLIC')`;
  await sql`select from join_room(${roomId}, ${author}, ${newId()})`;

  const ours = (await readFunctions()).map(({ name }) => name);
  expect([...before.keys()].every((name) => ours.includes(name))).toBe(true);
  expect(await start()).toEqual([ours]);
  expect(await bodies()).toEqual(await definedBodies());
  const { messages, close } = openStores(database);
  const { change } = await messages.send(roomId, [
    { id: newId(), authorId: author, text: 'after the upgrade', clientMessageId: null },
  ]);
  expect(change).toMatchObject({ head: { seq: 2, rev: 2 }, messages: [{ text: 'after the upgrade' }] });
  await close();
  await folder.clear();
});

/** Applies the repository's migrations up to this number, as a version of Parley did that knew no others. */
async function migrateUpTo(last: number, folder: string): Promise<void> {
  await cp('drizzle', folder, { recursive: true });
  const file = join(folder, 'meta', '_journal.json');
  const journal: { entries: { idx: number }[] } = JSON.parse(await readFile(file, 'utf8'));
  const entries = journal.entries.filter(({ idx }) => idx <= last);
  await writeFile(file, JSON.stringify({ ...journal, entries }));
  await migrate(drizzle(sql), { migrationsFolder: folder });
}

test('a changed signature under the same name is rejected, and nothing is applied', async () => {
  await start();
  const before = await releaseOf('send_messages');
  const changes = [
    [
      'return type',
      (text: string) => text.replace('RETURNS TABLE (outcome text,', 'RETURNS TABLE (outcome integer,'),
    ],
    ['parameter name', (text: string) => text.replaceAll('p_user_id', 'p_member_id')],
    ['parameter type', (text: string) => text.replace('p_message_id uuid', 'p_message_id text')],
  ] as const;
  for (const [what, change] of changes) {
    const functions = (await readFunctions()).map(({ name, release, definition }) => ({
      name,
      release: release + 1,
      definition: name === 'join_room' ? change(definition) : definition.replace('BEGIN', 'BEGIN -- new'),
    }));
    await expect(applyFunctions(sql, functions), what).rejects.toThrow(
      'The SQL function join_room has another signature than in the database: a changed signature needs a new name.',
    );
    expect(await bodies(), what).toEqual(await definedBodies());
    expect(await releaseOf('send_messages'), what).toBe(before);
  }
});
