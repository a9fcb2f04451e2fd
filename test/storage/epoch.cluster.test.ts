import postgres from 'postgres';
import { expect, test } from 'vitest';
import { openDatabase, prepareDatabase } from '../../src/storage/database.js';
import { createEpochStore, readEpoch } from '../../src/storage/epoch.js';
import { createMessageStore } from '../../src/storage/message.js';
import { startPostgres } from '../helpers/postgres-server.js';

const silent = { debug() {}, info() {}, warn() {}, error() {} };

test('a promoted standby is detected at once, long before its first checkpoint', async () => {
  const server = await startPostgres();
  const pool = openDatabase({ url: server.url });
  const messages = createMessageStore(pool);
  await prepareDatabase({ url: server.url }, silent, new AbortController().signal);
  const before = await pool.run(readEpoch);
  expect(await messages.readHeads([])).toMatchObject({ epoch: before, isMoved: false });

  await server.halt();
  await server.resume({ asStandby: true });
  const sql = postgres(server.url, { max: 1 });
  // A standby has no timeline of its own yet.
  await expect(messages.readHeads([])).rejects.toThrow('temporarily unavailable');
  await sql`select pg_promote()`;
  expect(await messages.readHeads([])).toMatchObject({ epoch: before, isMoved: true });
  await createEpochStore(pool).check();
  const { epoch, isMoved } = await messages.readHeads([]);
  expect(isMoved).toBe(false);
  expect(epoch).not.toBe(before);

  await Promise.all([sql.end(), pool.close()]);
  await server.stop();
}, 60_000);
