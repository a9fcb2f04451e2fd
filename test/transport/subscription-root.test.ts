import { beforeAll, describe, expect, test } from 'vitest';
import { createRoom, type Person, page, type Result, send, signUp } from '../helpers/client.js';
import { openEventStream } from '../helpers/event-stream.js';
import { errorsOf, exchange } from '../helpers/exchange.js';
import { startParley, type TestParley } from '../helpers/parley.js';
import { openSocketOf } from '../helpers/raw-socket.js';

/* Subscriptions whose only root field is skipped, on every transport. */

let parley: TestParley;
let alice: Person;
let roomId: string;

beforeAll(async () => {
  parley = await startParley();
  alice = await signUp(parley.url);
  roomId = await createRoom(alice);
});

type Run = (query: string, variables: object) => Promise<Result<object>['errors']>;

const post = async (query: string, variables: object, accept: string) => {
  const response = await exchange(parley.url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept, authorization: `Bearer ${alice.token}` },
    body: JSON.stringify({ query, variables }),
  });
  return errorsOf(response.text);
};

const transports: Record<string, Run> = {
  'JSON by POST': (query, variables) => post(query, variables, 'application/json'),
  'the newer media type by POST': (query, variables) =>
    post(query, variables, 'application/graphql-response+json'),
  async 'JSON by GET'(query, variables) {
    const parameters = new URLSearchParams({ query, variables: JSON.stringify(variables) });
    const headers = { authorization: `Bearer ${alice.token}` };
    return errorsOf((await exchange(`${parley.url}?${parameters}`, { headers })).text);
  },
  async 'server-sent events'(query, variables) {
    const stream = await openEventStream(parley.url, alice, variables, query);
    expect(await stream.ended).toBe(true);
    expect(stream.events.map(({ event }) => event)).toEqual(['next', 'complete']);
    return stream.events[0]?.result?.errors;
  },
  async WebSocket(query, variables) {
    const socket = await openSocketOf(alice, parley.webSocketUrl);
    socket.subscribe('1', variables, query);
    const [frame] = await socket.received('error', '1');
    // The socket stays open.
    socket.subscribe('2', {}, '{ __typename }');
    await socket.received('complete', '2');
    socket.destroy();
    return frame?.payload;
  },
};

const FIELD = 'messageAdded(roomId: $roomId)';
const subscription = (selections: string, variables = '') =>
  `subscription ($roomId: ID!${variables}) { ${selections} }`;
const fragment = (selections: string) => `fragment F on Subscription { ${selections} }`;

const SKIPPED: Record<string, string> = {
  '@skip(if: true)': subscription(`${FIELD} @skip(if: true) { cursor }`),
  '@include(if: false)': subscription(`${FIELD} @include(if: false) { cursor }`),
  'one of two directives': subscription(`${FIELD} @include(if: true) @skip(if: true) { cursor }`),
  'an alias': subscription(`alias: ${FIELD} @skip(if: true) { cursor }`),
  'an inline fragment': subscription(`... @skip(if: true) { ${FIELD} { cursor } }`),
  'a typed inline fragment': subscription(`... on Subscription @include(if: false) { ${FIELD} { cursor } }`),
  'a field in an inline fragment': subscription(`... { ${FIELD} @skip(if: true) { cursor } }`),
  'a fragment': `${subscription('...F @skip(if: true)')} ${fragment(`${FIELD} { cursor }`)}`,
  'a field of a fragment': `${subscription('...F')} ${fragment(`${FIELD} @include(if: false) { cursor }`)}`,
  'a fragment in a fragment': `${subscription('...F')} ${fragment('...G @skip(if: true)')} fragment G on Subscription { ${FIELD} { cursor } }`,
  'both of two fields': subscription(
    `${FIELD} @skip(if: true) { cursor } roomEvents(roomId: $roomId) @skip(if: true) { cursor }`,
  ),
};

const BY_VARIABLE: Record<string, string> = {
  '@skip': subscription(`${FIELD} @skip(if: $condition) { cursor }`, ', $condition: Boolean!'),
  '@include': subscription(`${FIELD} @include(if: $condition) { cursor }`, ', $condition: Boolean!'),
  'a variable with a default': subscription(
    `${FIELD} @skip(if: $condition) { cursor }`,
    ', $condition: Boolean! = true',
  ),
  'an inline fragment': subscription(
    `... @include(if: $condition) { ${FIELD} { cursor } }`,
    ', $condition: Boolean!',
  ),
  'a fragment': `${subscription('...F @skip(if: $condition)', ', $condition: Boolean!')} ${fragment(`${FIELD} { cursor }`)}`,
  'a field of a fragment': `${subscription('...F', ', $condition: Boolean!')} ${fragment(`${FIELD} @skip(if: $condition) { cursor }`)}`,
};

describe.each(Object.keys(transports))('over %s', (name) => {
  const run: Run = transports[name] ?? Promise.reject;

  test.each(Object.keys(SKIPPED))('a root field that is skipped by %s is rejected', async (kind) => {
    for (let repetition = 0; repetition < 2; repetition += 1)
      expect(await run(SKIPPED[kind] ?? '', { roomId })).toEqual([
        {
          message: 'The subscription selects no field: its root field is skipped by @skip or @include.',
          locations: expect.any(Array),
          extensions: { code: 'BAD_USER_INPUT' },
        },
      ]);
  });

  test.each(Object.keys(BY_VARIABLE))(
    'a root field that depends on a variable, by %s, is rejected',
    async (kind) => {
      for (const condition of [true, false])
        expect(await run(BY_VARIABLE[kind] ?? '', { roomId, condition })).toEqual([
          {
            message: expect.stringContaining('must not depend on a variable in @skip or @include'),
            locations: expect.any(Array),
            extensions: { code: 'BAD_USER_INPUT' },
          },
        ]);
    },
  );

  test.each([
    ['an unknown fragment', subscription('...Unknown'), 'Unknown fragment "Unknown"'],
    ['a recursive fragment', `${subscription('...F')} ${fragment('...F')}`, 'Cannot spread fragment "F"'],
    ['a condition that is not a Boolean', subscription(`${FIELD} @skip(if: 5) { cursor }`), '"if"'],
    ['a condition that is missing', subscription(`${FIELD} @skip { cursor }`), '"if"'],
  ])('%s is reported as such', async (_kind, query, message) => {
    const errors = (await run(query, { roomId })) ?? [];
    expect(errors.map((error) => error.message).join('\n')).toContain(message);
    for (const { extensions } of errors) expect(extensions).toEqual({ code: 'BAD_USER_INPUT' });
  });
});

test.each([
  subscription(`${FIELD} @skip(if: false) @include(if: true) { cursor }`),
  subscription(`${FIELD} { cursor } roomEvents(roomId: $roomId) @skip(if: true) { cursor }`),
  subscription(`... @include(if: true) { ${FIELD} { cursor } }`),
  subscription(`${FIELD} { cursor @skip(if: $condition) node { seq } }`, ', $condition: Boolean!'),
])('a root field that is not skipped is delivered: %s', async (query) => {
  const socket = await openSocketOf(alice, parley.webSocketUrl);
  const { liveCursor: after } = await page(alice, roomId);
  const resumed = query.replaceAll(
    'messageAdded(roomId: $roomId)',
    `messageAdded(roomId: $roomId, after: "${after}")`,
  );
  socket.subscribe('1', { roomId, condition: true }, resumed);
  await send(alice, roomId, 'x');
  const [frame] = await socket.received('next', '1');
  expect(frame?.payload.errors).toBeUndefined();
  expect(frame?.payload.data).toHaveProperty('messageAdded');
  socket.destroy();
});

test('none of them is logged as an error', () => {
  expect(parley.log.filter((line) => /"level":(50|60)/.test(line))).toEqual([]);
});
