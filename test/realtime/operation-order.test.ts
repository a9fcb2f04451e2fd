import { beforeAll, beforeEach, expect, test } from 'vitest';
import { createRoom, MESSAGE_ADDED, type Person, page, send, signUp } from '../helpers/client.js';
import { startParley, type TestParley } from '../helpers/parley.js';
import { openSocketOf, type RawSocket } from '../helpers/raw-socket.js';

/* Operation ids that are reused immediately. */

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

const subscribeMessage = (id: string) => ({
  type: 'subscribe',
  id,
  payload: { query: MESSAGE_ADDED, variables: { roomId, after } },
});
const completeMessage = (id: string) => ({ type: 'complete', id });
const typesOf = ({ frames }: RawSocket) => frames.map(({ type }) => type);

test('an id that is completed and reused at once belongs to the new operation', async () => {
  const socket = await openSocketOf(alice, parley.webSocketUrl);
  socket.send(subscribeMessage('1'));
  await send(alice, roomId, 'first');
  await socket.received('next', '1');

  socket.send(completeMessage('1'), subscribeMessage('1'), completeMessage('1'), subscribeMessage('1'));
  // The new operation starts from the same cursor.
  await socket.received('next', '1', 2);
  await send(alice, roomId, 'second');
  await socket.received('next', '1', 3);

  expect(typesOf(socket)).toEqual(['connection_ack', 'next', 'next', 'next']);
  socket.send(completeMessage('1'), subscribeMessage('2'));
  await socket.received('next', '2', 2);
  await send(alice, roomId, 'third');
  await socket.received('next', '2', 3);
  expect(typesOf(socket).filter((type) => type === 'next')).toHaveLength(6);
  socket.destroy();
});

test('an id that is completed while its operation starts may be reused once', async () => {
  const socket = await openSocketOf(alice, parley.webSocketUrl);
  socket.send(subscribeMessage('1'), completeMessage('1'), subscribeMessage('1'));
  await send(alice, roomId, 'first');
  await socket.received('next', '1');
  expect(typesOf(socket)).toEqual(['connection_ack', 'next']);

  socket.send(completeMessage('1'), subscribeMessage('1'), subscribeMessage('1'));
  expect(await socket.closed).toMatchObject({ code: 4409 });
});

test('if two of three subscriptions to a room are completed at once, the third still receives (500 times)', async () => {
  const socket = await openSocketOf(alice, parley.webSocketUrl);
  const triples = ['a', 'b', 'c', 'd', 'e'];
  for (let round = 1; round <= 100; round += 1) {
    for (const name of triples)
      socket.send(subscribeMessage(`${name}1`), subscribeMessage(`${name}2`), subscribeMessage(`${name}3`));
    await send(alice, roomId, `${round}`);
    for (const name of triples) await socket.received('next', `${name}3`, 2 * round - 1);
    for (const name of triples) socket.send(completeMessage(`${name}1`), completeMessage(`${name}2`));
    const edge = await send(alice, roomId, `${round}, again`);
    for (const name of triples) {
      const received = await socket.received('next', `${name}3`, 2 * round);
      expect(received.at(-1)?.payload.data?.messageAdded).toEqual(edge);
      socket.send(completeMessage(`${name}3`));
    }
    after = edge.cursor;
  }
  expect(new Set(typesOf(socket))).toEqual(new Set(['connection_ack', 'next']));
  socket.destroy();
}, 60_000);

test('an id of more than 256 characters closes the socket with 4400', async () => {
  const socket = await openSocketOf(alice, parley.webSocketUrl);
  const longest = 'i'.repeat(256);
  socket.send(subscribeMessage(longest));
  await send(alice, roomId, 'first');
  await socket.received('next', longest);
  socket.send(subscribeMessage(`${longest}i`));
  expect(await socket.closed).toMatchObject({ code: 4400 });
});
