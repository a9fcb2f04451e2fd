import { expect, test } from 'vitest';
import { connect, createRoom, page, send, signUp, subscribe } from '../helpers/client.js';
import { startParley } from '../helpers/parley.js';

test('a page and a subscription after its liveCursor contain every message, once and in order', async () => {
  const parley = await startParley();
  const alice = await signUp(parley.url);
  const roomId = await createRoom(alice);
  for (const text of ['one', 'two', 'three']) await send(alice, roomId, text);
  const { edges, liveCursor } = await page(alice, roomId);
  await send(alice, roomId, 'four');
  const client = connect(parley.webSocketUrl, { authorization: `Bearer ${alice.token}` });
  const subscription = subscribe(client, roomId, liveCursor);
  const replayed = await subscription.received(1);
  await send(alice, roomId, 'five');
  const all = [...edges, ...(await subscription.received(2))];
  expect(all.map((edge) => edge.node.text)).toEqual(['one', 'two', 'three', 'four', 'five']);
  expect(all.map((edge) => edge.node.seq)).toEqual([1, 2, 3, 4, 5]);
  expect(replayed[0]).toEqual((await page(alice, roomId)).edges[3]);
});
