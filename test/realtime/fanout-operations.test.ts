import { expect, onTestFinished, test, vi } from 'vitest';
import * as subscribing from '../../src/graphql/subscribe.js';
import { createRoom, page, type Result, send, signUp } from '../helpers/client.js';
import { startParley } from '../helpers/parley.js';
import { openSocketOf } from '../helpers/raw-socket.js';

const SELECTIONS = {
  Long: 'cursor node { text author { username } }',
  Short: 'node { seq }',
} as const;

/** One document with one subscription per selection. */
const query = Object.entries(SELECTIONS)
  .map(
    ([name, selection]) =>
      `subscription ${name}($roomId: ID!, $after: String) {
        messageAdded(roomId: $roomId, after: $after) { ${selection} }
      }`,
  )
  .join('\n');

test('live subscriptions of one document with different operations each receive their own selection', async () => {
  const parley = await startParley();
  const alice = await signUp(parley.url);
  const roomId = await createRoom(alice);
  const { liveCursor: after } = await page(alice, roomId);
  const socket = await openSocketOf(alice, parley.webSocketUrl);
  const names = Object.keys(SELECTIONS);
  // Two of each, so that every group has two subscribers.
  const ids = names.flatMap((name) => [`${name} 1`, `${name} 2`]);
  for (const id of ids) {
    const [operationName] = id.split(' ');
    socket.send({ type: 'subscribe', id, payload: { query, operationName, variables: { roomId, after } } });
  }
  const received = (count: number) => Promise.all(ids.map((id) => socket.received('next', id, count)));
  // A subscription that has received the first message is live by the second.
  for (const count of [1, 2]) {
    await send(alice, roomId, 'to be live');
    await received(count);
  }

  const shared = vi.spyOn(subscribing, 'executeShared');
  onTestFinished(() => void shared.mockRestore());
  const { cursor, node } = await send(alice, roomId, 'live');
  const [long, long2, short, short2] = (await received(3)).map(
    (frames): Result<object> | undefined => frames[2]?.payload,
  );

  const { seq, text } = node;
  const author = { username: alice.username };
  expect([long, long2]).toEqual(
    Array(2).fill({ data: { messageAdded: { cursor, node: { text, author } } } }),
  );
  expect([short, short2]).toEqual(Array(2).fill({ data: { messageAdded: { node: { seq } } } }));
  expect(shared).toHaveBeenCalledTimes(names.length);
});
