import postgres from 'postgres';
import { beforeAll, expect, test } from 'vitest';
import {
  connect,
  createRoom,
  joinRoom,
  type Person,
  page,
  request,
  send,
  signUp,
  subscribe,
} from '../helpers/client.js';
import { createTestDatabase } from '../helpers/database.js';
import { startParley, startSibling, type TestParley } from '../helpers/parley.js';

/** A database whose defaults differ from Postgres' own in everything that a session may inherit. */

const HOSTILE = {
  DateStyle: 'German, DMY',
  IntervalStyle: 'sql_standard',
  TimeZone: 'Asia/Kathmandu',
  bytea_output: 'escape',
  client_encoding: 'LATIN1',
  standard_conforming_strings: 'off',
  default_transaction_isolation: 'serializable',
  default_transaction_read_only: 'on',
  default_transaction_deferrable: 'on',
  synchronous_commit: 'off',
  search_path: 'pg_catalog',
  statement_timeout: '1s',
  lock_timeout: '1ms',
  idle_in_transaction_session_timeout: '1ms',
  extra_float_digits: '-15',
  array_nulls: 'off',
  quote_all_identifiers: 'on',
  transform_null_equals: 'on',
  xmloption: 'document',
  jit_above_cost: '0',
  enable_indexscan: 'off',
  default_statistics_target: '1',
  idle_session_timeout: '300ms',
};

let parley: TestParley;
let alice: Person;

beforeAll(async () => {
  const database = await createTestDatabase();
  const sql = postgres({ ...database.connection, max: 1 });
  for (const [name, value] of Object.entries(HOSTILE))
    await sql.unsafe(
      `alter database ${database.name} set ${name} = ${name === 'search_path' ? value : `'${value}'`}`,
    );
  await sql.end();
  parley = await startParley({ database });
  alice = await signUp(parley.url, 'Zoë');
});

test('messages are sent, listed and delivered with their times and texts', async () => {
  const roomId = await createRoom(alice, 'Größe');
  const bob = await signUp(parley.url);
  await joinRoom(bob, roomId);
  const { liveCursor } = await page(alice, roomId);
  const subscription = subscribe(connect(parley.webSocketUrl, { token: alice.token }), roomId, liveCursor);
  const before = Date.now();

  const sent = await send(bob, roomId, 'C:\\new \\x41 ’ 🎉');
  const { node } = sent;

  expect(node.text).toBe('C:\\new \\x41 ’ 🎉');
  expect(Math.abs(Date.parse(node.createdAt) - before)).toBeLessThan(5000);
  expect(await subscription.received(1)).toEqual([sent]);
  expect((await page(alice, roomId)).edges.at(-1)).toEqual(sent);
});

test('rooms are listed by activity, page by page', async () => {
  const ids = [
    await createRoom(alice, 'one'),
    await createRoom(alice, 'two'),
    await createRoom(alice, 'three'),
  ];
  const found: string[] = [];
  let after: string | null = null;
  do {
    const rooms: Rooms = await listRooms(after);
    found.push(...rooms.edges.map(({ node }) => node.id));
    after = rooms.pageInfo.hasNextPage ? rooms.pageInfo.endCursor : null;
  } while (after !== null);
  expect(found.filter((id) => ids.includes(id))).toEqual(ids.toReversed());
  expect(new Set(found).size).toBe(found.length);
});

test('a second instance starts on the same database, and a user logs in there', async () => {
  const sibling = await startSibling(parley);
  const { data } = await request<{ login: { __typename: string } }>(
    sibling.url,
    'mutation ($input: LoginInput!) { login(input: $input) { __typename } }',
    { input: { username: alice.username, password: 'correct horse battery' } },
  );
  expect(data?.login.__typename).toBe('AuthPayload');
  await sibling.stop();
});

interface Rooms {
  readonly edges: readonly { readonly node: { readonly id: string } }[];
  readonly pageInfo: { readonly hasNextPage: boolean; readonly endCursor: string | null };
}

async function listRooms(after: string | null): Promise<Rooms> {
  const { data, errors } = await request<{ viewer: { rooms: Rooms } }>(
    parley.url,
    `query ($after: String) {
      viewer { rooms(first: 2, after: $after) { edges { node { id } } pageInfo { hasNextPage endCursor } } }
    }`,
    { after },
    alice.token,
  );
  if (!data) throw new Error(JSON.stringify(errors));
  return data.viewer.rooms;
}
