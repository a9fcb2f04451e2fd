import postgres from 'postgres';
import { expect, test } from 'vitest';
import { openDatabase, prepareDatabase } from '../../src/storage/database.js';
import { createEpochStore, readEpoch } from '../../src/storage/epoch.js';
import { createMessageStore } from '../../src/storage/message/store.js';
import { startPostgres } from '../helpers/postgres-server.js';

const silent = { debug() {}, info() {}, warn() {}, error() {} };

test('a promoted standby is detected at once, long before its first checkpoint', async () => {
  const server = await startPostgres();
  const pool = openDatabase({ url: server.url });
  const messages = createMessageStore(pool);
  await prepareDatabase({ url: server.url }, silent, new AbortController().signal);
  const before = await pool.run(readEpoch);
  expect(await messages.compareHeads([])).toMatchObject({ epoch: before, isMoved: false });

  await server.halt();
  await server.resume({ asStandby: true });
  const sql = postgres(server.url, { max: 1 });
  // A standby has no timeline of its own yet.
  await expect(messages.compareHeads([])).rejects.toThrow('temporarily unavailable');
  await sql`select pg_promote()`;
  expect(await messages.compareHeads([])).toMatchObject({ epoch: before, isMoved: true });
  await createEpochStore(pool).check();
  const { epoch, isMoved } = await messages.compareHeads([]);
  expect(isMoved).toBe(false);
  expect(epoch).not.toBe(before);

  await Promise.all([sql.end(), pool.close()]);
  await server.stop();
}, 60_000);

test('a copy of the database on the same server has a history of its own', async () => {
  const server = await startPostgres();
  const prepare = (url: string) => prepareDatabase({ url }, silent, new AbortController().signal);
  const readFrom = async (url: string) => {
    const pool = openDatabase({ url });
    try {
      return await createMessageStore(pool).compareHeads([]);
    } finally {
      await pool.close();
    }
  };
  await prepare(server.url);
  const { epoch } = await readFrom(server.url);
  const sql = postgres(server.url.replace(/\/[^/]*$/, '/template1'), { max: 1, onnotice: () => {} });
  const name = new URL(server.url).pathname.slice(1);
  await sql.unsafe(`create database staging template "${name}"`);
  const copy = server.url.replace(/\/[^/]*$/, '/staging');

  expect(await readFrom(copy)).toMatchObject({ epoch, isMoved: true });
  await prepare(copy);
  const copied = await readFrom(copy);
  expect(copied).toMatchObject({ isMoved: false });
  expect(copied.epoch).not.toBe(epoch);
  await prepare(server.url);
  expect(await readFrom(server.url)).toMatchObject({ epoch, isMoved: false });
  await sql.end();
  await server.stop();
}, 60_000);

test('an identity that an earlier release has recorded is completed, without a new epoch', async () => {
  const server = await startPostgres();
  const prepare = () => prepareDatabase({ url: server.url }, silent, new AbortController().signal);
  await prepare();
  const pool = openDatabase({ url: server.url });
  const before = await pool.run(readEpoch);
  const sql = postgres(server.url, { max: 1 });
  await sql`delete from meta where key = 'database'`;
  await prepare();

  expect(await createMessageStore(pool).compareHeads([])).toMatchObject({ epoch: before, isMoved: false });
  expect(await sql`select key from meta where key = 'database'`).toHaveLength(1);
  await Promise.all([sql.end(), pool.close()]);
  await server.stop();
}, 60_000);
