import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createRoom, MESSAGE_ADDED, type Person, page, send, signUp } from '../helpers/client.js';
import { openEventStream } from '../helpers/event-stream.js';
import { exchange } from '../helpers/exchange.js';
import { startParley, type TestParley } from '../helpers/parley.js';
import { openSocketOf } from '../helpers/raw-socket.js';

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
