import { beforeAll, beforeEach, expect, test } from 'vitest';
import { createRoom, MESSAGE_ADDED, type Person, page, send, signUp } from '../helpers/client.js';
import { startParley, type TestParley } from '../helpers/parley.js';
import { openSocketOf, type RawSocket } from '../helpers/raw-socket.js';

/** Ids of operations that are used again at once. */
let parley: TestParley;
let alice: Person;
let roomId: string;
let after: string;

beforeAll(async () => {
  parley = await startParley();
  alice = await signUp(parley.url);
});

beforeEach(async () => {
  roomId = await createRoom(alice);
  after = (await page(alice, roomId)).liveCursor;
});

const begin = (id: string) => ({
  type: 'subscribe',
  id,
  payload: { query: MESSAGE_ADDED, variables: { roomId, after } },
});
const end = (id: string) => ({ type: 'complete', id });
const typesOf = ({ frames }: RawSocket) => frames.map(({ type }) => type);

test('an id that is completed and used again in one moment is that of the new operation', async () => {
  const socket = await openSocketOf(alice, parley.webSocketUrl);
  socket.send(begin('1'));
  await send(alice, roomId, 'first');
  await socket.received('next', '1');

  socket.send(end('1'), begin('1'), end('1'), begin('1'));
  // Read from its place, again.
  await socket.received('next', '1', 2);
  await send(alice, roomId, 'second');
  await socket.received('next', '1', 3);

  expect(typesOf(socket)).toEqual(['connection_ack', 'next', 'next', 'next']);
  socket.send(end('1'), begin('2'));
  await socket.received('next', '2', 2);
  await send(alice, roomId, 'third');
  await socket.received('next', '2', 3);
  expect(typesOf(socket).filter((type) => type === 'next')).toHaveLength(6);
  socket.destroy();
});

test('an id that is completed while its operation starts may be used again, once', async () => {
  const socket = await openSocketOf(alice, parley.webSocketUrl);
  socket.send(begin('1'), end('1'), begin('1'));
  await send(alice, roomId, 'first');
  await socket.received('next', '1');
  expect(typesOf(socket)).toEqual(['connection_ack', 'next']);

  socket.send(end('1'), begin('1'), begin('1'));
  expect(await socket.closed).toMatchObject({ code: 4409 });
});

test('of three subscriptions to a room two are completed at once, and the third receives, 500 times', async () => {
  const socket = await openSocketOf(alice, parley.webSocketUrl);
  const triples = ['a', 'b', 'c', 'd', 'e'];
  for (let round = 1; round <= 100; round += 1) {
    for (const name of triples) socket.send(begin(`${name}1`), begin(`${name}2`), begin(`${name}3`));
    await send(alice, roomId, `${round}`);
    for (const name of triples) await socket.received('next', `${name}3`, 2 * round - 1);
    for (const name of triples) socket.send(end(`${name}1`), end(`${name}2`));
    const edge = await send(alice, roomId, `${round}, again`);
    for (const name of triples) {
      const received = await socket.received('next', `${name}3`, 2 * round);
      expect(received.at(-1)?.payload.data?.messageAdded).toEqual(edge);
      socket.send(end(`${name}3`));
    }
    after = edge.cursor;
  }
  expect(new Set(typesOf(socket))).toEqual(new Set(['connection_ack', 'next']));
  socket.destroy();
}, 60_000);

test('an id that is longer than may be is refused: it would stand in each frame', async () => {
  const socket = await openSocketOf(alice, parley.webSocketUrl);
  const longest = 'i'.repeat(256);
  socket.send(begin(longest));
  await send(alice, roomId, 'first');
  await socket.received('next', longest);
  socket.send(begin(`${longest}i`));
  expect(await socket.closed).toMatchObject({ code: 4400 });
});
