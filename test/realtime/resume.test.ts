import { createClient } from 'graphql-ws';
import { beforeAll, expect, test } from 'vitest';
import WebSocket from 'ws';
import { encodeMessageCursor } from '../../src/domain/cursor.js';
import { rowId } from '../../src/graphql/schema/global-id.js';
import {
  connect,
  createRoom,
  type Edge,
  type Person,
  page,
  send,
  signUp,
  subscribe,
} from '../helpers/client.js';
import { startParley, type TestParley } from '../helpers/parley.js';

let parley: TestParley;
let alice: Person;

beforeAll(async () => {
  parley = await startParley();
  alice = await signUp(parley.url);
});

const seqs = (edges: readonly Edge[]): number[] => edges.map(({ node }) => node.seq);
const oneTo = (last: number): number[] => Array.from({ length: last }, (_, index) => index + 1);
const sendMany = (roomId: string, count: number) =>
  Promise.all(Array.from({ length: count }, (_, index) => send(alice, roomId, `${index}`)));

test('a replay of several pages and the messages sent during it arrive once and in order', async () => {
  const roomId = await createRoom(alice);
  const { liveCursor } = await page(alice, roomId);
  await sendMany(roomId, 250);
  const client = connect(parley.webSocketUrl, { token: alice.token });

  const subscription = subscribe(client, roomId, liveCursor);
  await sendMany(roomId, 50);

  expect(seqs(await subscription.received(300))).toEqual(oneTo(300));
});

test('a subscription resumes from the cursor of an edge, a page or a delivery', async () => {
  const roomId = await createRoom(alice);
  const first = await send(alice, roomId, 'one');
  const { liveCursor, edges } = await page(alice, roomId);
  expect(edges).toEqual([first]);
  const client = connect(parley.webSocketUrl, { token: alice.token });
  const live = subscribe(client, roomId, liveCursor);
  await send(alice, roomId, 'two');
  const [delivered] = await live.received(1);
  const third = await send(alice, roomId, 'three');

  for (const cursor of [first.cursor, liveCursor])
    expect(seqs(await subscribe(client, roomId, cursor).received(2))).toEqual([2, 3]);
  expect(await subscribe(client, roomId, delivered?.cursor).received(1)).toEqual([third]);
});

test('the standard client resumes after a lost connection, without a gap or a duplicate', async () => {
  const roomId = await createRoom(alice);
  const sockets: WebSocket[] = [];
  class TrackedWebSocket extends WebSocket {
    constructor(address: string, protocols: string) {
      super(address, protocols);
      sockets.push(this);
    }
  }
  const client = createClient({
    url: parley.webSocketUrl,
    webSocketImpl: TrackedWebSocket,
    connectionParams: { token: alice.token },
  });
  const subscription = subscribe(client, roomId, (await page(alice, roomId)).liveCursor);
  await send(alice, roomId, 'before');
  await subscription.received(1);

  sockets[0]?.terminate();
  await sendMany(roomId, 10);
  await subscription.received(11);
  await send(alice, roomId, 'live again');

  expect(seqs(await subscription.received(12))).toEqual(oneTo(12));
  expect(sockets).toHaveLength(2);
  await client.dispose();
});

test('a changed display name appears in the next event', async () => {
  const roomId = await createRoom(alice);
  const subscription = subscribe(
    connect(parley.webSocketUrl, { token: alice.token }),
    roomId,
    (await page(alice, roomId)).liveCursor,
  );
  await send(alice, roomId, 'with the old name');
  await subscription.received(1);
  await alice.request('mutation { updateProfile(input: { displayName: "Ada L." }) { __typename } }');
  await send(alice, roomId, 'with the new name');

  const names = (await subscription.received(2)).map(({ node }) => node.author?.displayName);
  expect(names).toEqual([alice.username, 'Ada L.']);
});

test('a delivery equals the result of the mutation and the page, including the times', async () => {
  const roomId = await createRoom(alice);
  const subscription = subscribe(
    connect(parley.webSocketUrl, { token: alice.token }),
    roomId,
    (await page(alice, roomId)).liveCursor,
  );
  const sent = await send(alice, roomId, 'hello', 'key');
  const delivered = await subscription.received(1);

  expect(delivered).toEqual([sent]);
  expect((await page(alice, roomId)).edges).toEqual(delivered);
  expect(sent.node.createdAt).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
});

test('a subscription that cannot start ends with a coded error', async () => {
  const roomId = await createRoom(alice);
  const hidden = await createRoom(await signUp(parley.url), 'Hidden', 'PRIVATE');
  const visible = await createRoom(await signUp(parley.url), 'Visible');
  const cursor = (epoch: string, seq: number) =>
    encodeMessageCursor({ roomId: rowId('Room', roomId) ?? '', epoch, seq, rev: null });
  const { liveCursor } = await page(alice, roomId);
  const epoch = Buffer.from(liveCursor, 'base64url').toString('hex', 17, 25);
  const client = connect(parley.webSocketUrl, { token: alice.token });

  const cases: [string, string | undefined, object][] = [
    ['nonsense', undefined, { code: 'BAD_USER_INPUT', argument: 'roomId' }],
    [hidden, undefined, { code: 'BAD_USER_INPUT', argument: 'roomId' }],
    [visible, undefined, { code: 'FORBIDDEN' }],
    [roomId, 'nonsense', { code: 'BAD_USER_INPUT', argument: 'after' }],
    [visible, liveCursor, { code: 'BAD_USER_INPUT', argument: 'after' }],
    [roomId, cursor('0000000000000000', 0), { code: 'HISTORY_GAP', reason: 'RESET' }],
    [roomId, cursor(epoch, 7), { code: 'HISTORY_GAP', reason: 'RESET' }],
  ];
  for (const [room, after, extensions] of cases)
    expect(await subscribe(client, room, after).ended).toMatchObject([{ extensions }]);
});
