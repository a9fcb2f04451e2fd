import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createRoom, MESSAGE_ADDED, type Person, page, send, signUp } from '../helpers/client.js';
import { openEventStream } from '../helpers/event-stream.js';
import { exchange } from '../helpers/exchange.js';
import { startParley, type TestParley } from '../helpers/parley.js';
import { openSocketOf } from '../helpers/raw-socket.js';
import { replaceResolver } from '../helpers/replace-resolver.js';

let parley: TestParley;
let alice: Person;
let roomId: string;
let start = 0;

beforeAll(async () => {
  parley = await startParley({ env: { LOG_LEVEL: 'debug' } });
  alice = await signUp(parley.url);
  roomId = await createRoom(alice);
});

beforeEach(() => {
  start = parley.log.length;
});

/** The entries of the operations that have finished since the start of the test. */
const entries = () =>
  parley.log
    .slice(start)
    .filter((line) => line.includes('"Operation finished"'))
    // Unchecked here: tests assert the entries.
    .map((line) => {
      const { operation, kind, durationMs, errorCodes } = JSON.parse(line) as Record<string, unknown>;
      expect(durationMs).toBeTypeOf('number');
      return { operation, kind, errorCodes };
    });

async function post(body: object): Promise<void> {
  await exchange(parley.url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${alice.token}` },
    body: JSON.stringify(body),
  });
}

async function overWebSocket(payload: object): Promise<void> {
  const socket = await openSocketOf(alice, parley.webSocketUrl);
  socket.send({ type: 'subscribe', id: '1', payload });
  await Promise.race([socket.received('complete', '1'), socket.received('error', '1')]);
  socket.destroy();
}

const transports: Record<string, (payload: object) => Promise<void>> = {
  'the direct HTTP path': post,
  // Yoga handles all requests with an unknown parameter, and ignores it if it is null.
  Yoga: (payload) => post({ ...payload, unknown: null }),
  WebSocket: overWebSocket,
};

describe.each(Object.keys(transports))('over %s', (transport) => {
  const run = transports[transport] ?? Promise.reject;

  test.each<[string, object, { operation: string | null; kind: string | null; errorCodes: string[] }]>([
    [
      'a query',
      { query: 'query Rooms { viewer { id } }' },
      { operation: 'Rooms', kind: 'query', errorCodes: [] },
    ],
    [
      'an operation without a name',
      { query: '{ viewer { id } }' },
      { operation: null, kind: 'query', errorCodes: [] },
    ],
    [
      'an operation with several errors',
      {
        query:
          'query Wrong { a: rooms(first: -1) { nodes { id } } b: rooms(first: 1, after: "x") { nodes { id } } }',
      },
      { operation: 'Wrong', kind: 'query', errorCodes: ['BAD_USER_INPUT', 'BAD_USER_INPUT'] },
    ],
    [
      'a rejected operation',
      { query: 'query Rejected { nowhere }', operationName: 'Rejected' },
      { operation: 'Rejected', kind: null, errorCodes: ['BAD_USER_INPUT'] },
    ],
    [
      'a rejected operation whose name is not one',
      { query: '{ nowhere }', operationName: 'a secret, by mistake' },
      { operation: null, kind: null, errorCodes: ['BAD_USER_INPUT'] },
    ],
  ])('%s is logged once, with its name, kind and error codes', async (_name, payload, entry) => {
    await run(payload);
    await expect.poll(entries).toEqual([entry]);
  });

  test('neither variables, nor the document, nor the result, nor a token is logged', async () => {
    const query = `mutation Send($input: SendMessageInput!) {
      sendMessage(input: $input) { ... on SendMessagePayload { edge { node { text author { username } } } } }
    }`;
    await run({ query, variables: { input: { roomId, text: 'a private message' } } });
    await expect.poll(entries).toEqual([{ operation: 'Send', kind: 'mutation', errorCodes: [] }]);
    const text = parley.log.slice(start).join('\n');
    for (const secret of ['a private message', roomId, alice.token, alice.username, 'sendMessage'])
      expect(text).not.toContain(secret);
  });
});

const LISTEN = MESSAGE_ADDED.replace('subscription', 'subscription Listen');

test.each(['WebSocket', 'server-sent events'])(
  'a subscription over %s is logged when it ends, not per event',
  async (transport) => {
    const { liveCursor: after } = await page(alice, roomId);
    await send(alice, roomId, 'x');
    if (transport === 'WebSocket') {
      const socket = await openSocketOf(alice, parley.webSocketUrl);
      socket.subscribe('1', { roomId, after }, LISTEN);
      await socket.received('next', '1');
      socket.destroy();
    } else {
      const stream = await openEventStream(parley.url, alice, { roomId, after }, LISTEN);
      await stream.received(1);
      stream.abort();
    }
    const subscriptions = () => entries().filter(({ kind }) => kind === 'subscription');
    await expect.poll(subscriptions).toEqual([{ operation: 'Listen', kind: 'subscription', errorCodes: [] }]);
  },
);

test('a subscription that fails is logged with its error code', async () => {
  await overWebSocket({ query: LISTEN, variables: { roomId, after: 'nonsense' } });
  await expect
    .poll(entries)
    .toEqual([{ operation: 'Listen', kind: 'subscription', errorCodes: ['BAD_USER_INPUT'] }]);
});

const lines = () =>
  parley.log
    .slice(start)
    .filter((line) => line.includes('"Operation finished"'))
    .map((line) => JSON.parse(line).requestId as unknown);

test('an HTTP request has the id that its proxy has given, or a new one, in its response and in the log', async () => {
  const ask = async (requestId?: string) => {
    const response = await fetch(parley.url, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        ...(requestId === undefined ? {} : { 'x-request-id': requestId }),
      },
      body: JSON.stringify({ query: '{ __typename }' }),
    });
    await response.text();
    return response.headers.get('x-request-id');
  };
  expect(await ask('0af7651916cd43dd-1')).toBe('0af7651916cd43dd-1');
  const own = [await ask(), await ask('a secret, by mistake'), await ask('x'.repeat(129))];
  for (const id of own) expect(id).toMatch(/^[\da-f-]{36}$/);
  expect(new Set(own).size).toBe(3);
  expect(lines()).toEqual(['0af7651916cd43dd-1', ...own]);
});

test('the operations of a WebSocket have the id of its upgrade request, or one of their own', async () => {
  for (const headers of [{ 'x-request-id': 'upgrade-1' }, {}]) {
    const socket = await openSocketOf(alice, parley.webSocketUrl, { headers });
    for (const id of ['1', '2']) socket.send({ type: 'subscribe', id, payload: { query: '{ __typename }' } });
    for (const id of ['1', '2']) await socket.received('complete', id);
    // Also of one that is rejected.
    socket.send({ type: 'subscribe', id: '3', payload: { query: '{ unknown }' } });
    await socket.received('error', '3');
    socket.destroy();
  }
  const ids = lines();
  expect(ids.slice(0, 3)).toEqual(['upgrade-1', 'upgrade-1', 'upgrade-1']);
  expect(ids[3]).toMatch(/^[\da-f-]{36}$/);
  expect(ids.slice(3)).toEqual([ids[3], ids[3], ids[3]]);
});

test('a rejected request, and an unexpected error, name their request', async () => {
  await send(alice, roomId, 'anything');
  start = parley.log.length;
  replaceResolver('text', () => () => {
    throw new Error('unexpected');
  });
  for (const query of ['{ unknown }', `{ roomMessages(roomId: "${roomId}", last: 1) { nodes { text } } }`])
    await fetch(parley.url, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        authorization: `Bearer ${alice.token}`,
        'x-request-id': 'named',
      },
      body: JSON.stringify({ query }),
    });
  expect(lines()).toEqual(['named', 'named']);
  const errors = parley.log.slice(start).filter((line) => line.includes('"Unexpected error"'));
  expect(errors.map((line) => JSON.parse(line).requestId)).toEqual(['named']);
});
