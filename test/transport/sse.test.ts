import { beforeAll, expect, test } from 'vitest';
import { createRoom, type Person, page, send, signUp } from '../helpers/client.js';
import { openEventStream } from '../helpers/event-stream.js';
import { startParley, type TestParley } from '../helpers/parley.js';

let parley: TestParley;
let alice: Person;
let roomId: string;

beforeAll(async () => {
  parley = await startParley();
  alice = await signUp(parley.url);
  roomId = await createRoom(alice);
});

test('a stream delivers missed messages, then live ones', async () => {
  const { liveCursor: after } = await page(alice, roomId);
  const missed = await send(alice, roomId, 'missed');
  const stream = await openEventStream(parley.url, alice, { roomId, after });
  await stream.received(1);
  const live = await send(alice, roomId, 'live');

  const events = await stream.received(2);

  expect(stream.response.status).toBe(200);
  expect(events.map(({ event }) => event)).toEqual(['next', 'next']);
  expect(events.map(({ result }) => result?.data?.messageAdded)).toEqual([missed, live]);
  stream.abort();
  expect(await stream.ended).toBe(false);
});

test('a subscription that cannot start sends a `next` with a coded error, then `complete`', async () => {
  const cases = [
    { person: alice, variables: { roomId, after: 'nonsense' }, code: 'BAD_USER_INPUT' },
    { person: alice, variables: { roomId: 'nonsense' }, code: 'BAD_USER_INPUT' },
    { person: await signUp(parley.url), variables: { roomId }, code: 'FORBIDDEN' },
    { person: null, variables: { roomId }, code: 'UNAUTHENTICATED' },
    { person: { token: 'garbage' }, variables: { roomId }, code: 'UNAUTHENTICATED' },
  ];
  for (const { person, variables, code } of cases) {
    const stream = await openEventStream(parley.url, person, variables);
    expect(await stream.ended).toBe(true);
    expect(stream.events.map(({ event }) => event)).toEqual(['next', 'complete']);
    expect(stream.events[0]?.result?.errors).toMatchObject([{ extensions: { code } }]);
  }
});
