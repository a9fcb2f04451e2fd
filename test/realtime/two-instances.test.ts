import { beforeAll, expect, test } from 'vitest';
import {
  at,
  connect,
  createRoom,
  joinRoom,
  type Person,
  page,
  send,
  signUp,
  subscribe,
} from '../helpers/client.js';
import { startParley, startSibling, type TestParley } from '../helpers/parley.js';

/* In the cluster project, Redis carries events between the instances; in the embedded one, only the tick does. */

let here: TestParley;
let there: TestParley;
let alice: Person;

beforeAll(async () => {
  here = await startParley();
  there = await startSibling(here);
  alice = await signUp(here.url);
});

test('messages sent on one instance arrive on the other, once and in order', async () => {
  const roomId = await createRoom(alice);
  const { liveCursor } = await page(alice, roomId);
  const client = connect(here.webSocketUrl, { authorization: `Bearer ${alice.token}` });
  const subscription = subscribe(client, roomId, liveCursor);
  const thereAlice = at(there.url, alice);
  const texts = ['one', 'two', 'three', 'four', 'five'];
  for (const text of texts) await send(thereAlice, roomId, text);

  const edges = await subscription.received(5);

  expect(edges.map(({ node }) => node.text)).toEqual(texts);
  expect(edges).toEqual((await page(alice, roomId)).edges);
});

test('senders on both instances produce one sequence without gaps, the same for every subscriber', async () => {
  const roomId = await createRoom(alice);
  const bob = await signUp(there.url);
  await joinRoom(bob, roomId);
  const subscriptions = [here, there, here, there].map(({ webSocketUrl }) =>
    subscribe(connect(webSocketUrl, { token: bob.token }), roomId, undefined),
  );
  // A subscription is established once it has received a first message.
  const started = Date.now();
  let markers = 0;
  while (subscriptions.some(({ edges }) => edges.length === 0)) {
    if (Date.now() - started > 15_000) throw new Error('A subscription received no message within 15 s.');
    markers += 1;
    await send(alice, roomId, 'marker');
  }

  const senders = [alice, at(there.url, alice), at(here.url, bob), bob];
  await Promise.all(
    senders.flatMap((person) => Array.from({ length: 10 }, (_, index) => send(person, roomId, `${index}`))),
  );

  // Message 1 is Bob's join.
  const last = 1 + markers + 40;
  for (const { edges, received } of subscriptions) {
    const first = edges[0]?.node.seq ?? 0;
    const seen = await received(last - first + 1);
    expect(seen.map(({ node }) => node.seq)).toEqual(
      Array.from({ length: last - first + 1 }, (_, index) => first + index),
    );
  }
  const own = (await page(bob, roomId, { last: 40 })).edges;
  for (const { edges } of subscriptions) expect(edges.slice(-40)).toEqual(own);
});

test('messages that an instance holds in memory show the new profile of their author, changed on the other', async () => {
  const author = await signUp(here.url);
  const roomId = await createRoom(author);
  const { liveCursor } = await page(author, roomId);
  const watching = subscribe(connect(here.webSocketUrl, { token: author.token }), roomId, liveCursor);
  await send(author, roomId, 'before');
  await watching.received(1);
  await at(there.url, author).request(
    'mutation { updateProfile(input: { displayName: "Countess" }) { __typename } }',
  );
  // A second after the change at the latest, with the next tick.
  const name = async () => {
    const again = subscribe(connect(here.webSocketUrl, { token: author.token }), roomId, liveCursor);
    const [edge] = await again.received(1);
    return edge?.node.author?.displayName;
  };
  await expect.poll(name, { timeout: 3000 }).toBe('Countess');
  expect((await page(author, roomId)).edges[0]?.node.author?.displayName).toBe('Countess');
});
