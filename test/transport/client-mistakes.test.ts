import { once } from 'node:events';
import { connect as connectTcp } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { encodeFrame, OPCODE } from '../../bench/load/frames.js';
import { createRoom, MESSAGE_ADDED, type Person, page, send, signUp } from '../helpers/client.js';
import { errorsOf, exchange } from '../helpers/exchange.js';
import { startParley, type TestParley } from '../helpers/parley.js';
import { openRawSocket, openSocketOf } from '../helpers/raw-socket.js';
import { openWire } from '../helpers/wire.js';

/* No mistake of a client is an error of the server: in the log, by a close code, or by an error without a code. */

const CODES = [
  'UNAUTHENTICATED',
  'FORBIDDEN',
  'BAD_USER_INPUT',
  'LIMIT_EXCEEDED',
  'RATE_LIMITED',
  'HISTORY_GAP',
];

let parley: TestParley;
let alice: Person;
let roomId: string;

beforeAll(async () => {
  parley = await startParley();
  alice = await signUp(parley.url);
  roomId = await createRoom(alice);
});

afterAll(() => {
  expect(parley.log.filter((line) => !/"level":(20|30|40)/.test(line))).toEqual([]);
});

const subscribe = (id: unknown, payload: unknown = { query: MESSAGE_ADDED, variables: { roomId } }) => ({
  type: 'subscribe',
  id,
  payload,
});

describe('a WebSocket', () => {
  const mistakes: Record<string, [number, ...(object | string)[]]> = {
    'a next': [4400, { type: 'next', id: '1', payload: { data: {} } }],
    'a next of its own operation': [4400, subscribe('1'), { type: 'next', id: '1', payload: { data: {} } }],
    'a next without an id': [4400, { type: 'next' }],
    'an error': [4400, { type: 'error', id: '1', payload: [{ message: 'x' }] }],
    'an error without a payload': [4400, { type: 'error', id: '1' }],
    'a connection_ack': [4400, { type: 'connection_ack' }],
    'a message of an unknown type': [4400, { type: 'start', id: '1', payload: { query: '{ __typename }' } }],
    'a message of an older protocol': [4400, { type: 'ka' }],
    'a type that is not a string': [4400, { type: 1 }],
    'a type of an object’s prototype': [4400, { type: '__proto__' }],
    'a message without a type': [4400, { id: '1' }],
    'invalid JSON': [4400, '{"type":"subscribe",'],
    'an empty text': [4400, ''],
    'a text in JSON': [4400, '"ping"'],
    'a text in JSON that holds a message': [4400, JSON.stringify(JSON.stringify({ type: 'ping' }))],
    null: [4400, 'null'],
    'a number': [4400, '1'],
    'a list': [4400, '[{"type":"ping"}]'],
    'deeply nested JSON': [4400, '['.repeat(30_000)],
    'deeply nested lists': [4400, '['.repeat(30_000) + ']'.repeat(30_000)],
    'a ping whose payload is a text': [4400, { type: 'ping', payload: 'x' }],
    'a complete without an id': [4400, { type: 'complete' }],
    'a complete whose id is a number': [4400, { type: 'complete', id: 1 }],
    'a subscribe without an id': [4400, subscribe(undefined)],
    'a subscribe with an empty id': [4400, subscribe('')],
    'a subscribe whose id is a number': [4400, subscribe(1)],
    'a subscribe without a payload': [4400, { type: 'subscribe', id: '1' }],
    'a subscribe without a query': [4400, subscribe('1', {})],
    'a subscribe whose query is a list': [4400, subscribe('1', { query: [] })],
    'a subscribe whose variables are a text': [4400, subscribe('1', { query: '{ a }', variables: 'x' })],
    'a subscribe whose operationName is a number': [
      4400,
      subscribe('1', { query: '{ a }', operationName: 1 }),
    ],
    'a subscribe whose extensions are a list': [4400, subscribe('1', { query: '{ a }', extensions: [] })],
    'an id of 257 characters': [4400, subscribe('x'.repeat(257))],
    'an id of 400 bytes in 400 characters, twice': [
      4400,
      subscribe('x'.repeat(400)),
      subscribe('x'.repeat(400)),
    ],
    'an id of 400 bytes in 200 characters, twice': [
      4409,
      subscribe('é'.repeat(200)),
      subscribe('é'.repeat(200)),
    ],
    'an id of 768 bytes in 256 characters, twice': [
      4409,
      subscribe('語'.repeat(256)),
      subscribe('語'.repeat(256)),
    ],
    'an id of 100 characters, twice': [4409, subscribe('x'.repeat(100)), subscribe('x'.repeat(100))],
    'an id with a lone surrogate, twice': [
      4409,
      subscribe('\ud800'.repeat(99)),
      subscribe('\ud800'.repeat(99)),
    ],
    'the id __proto__, twice': [4409, subscribe('__proto__'), subscribe('__proto__')],
    'the id of an operation that starts, twice': [
      4409,
      subscribe('1'),
      { type: 'complete', id: '1' },
      subscribe('1'),
      subscribe('1'),
    ],
    'a second connection_init': [4429, { type: 'connection_init' }],
    'a connection_init whose payload is a text': [4400, { type: 'connection_init', payload: 'x' }],
  };

  test.each(Object.keys(mistakes))('that sends %s is closed with its documented code', async (name) => {
    const [code, ...messages] = mistakes[name] ?? [0];
    const socket = await openSocketOf(alice, parley.webSocketUrl);
    socket.send(...messages);
    const closed = await socket.closed;
    expect(closed.code).toBe(code);
    expect(closed.reason).not.toBe('');
  });

  test.each(Object.keys(mistakes))('that sends %s before connection_init is closed', async (name) => {
    const [, ...messages] = mistakes[name] ?? [0];
    const socket = await openRawSocket(parley.webSocketUrl);
    socket.send(...messages, 'x');
    expect([4400, 4401, 4409]).toContain((await socket.closed).code);
  });

  test('that uses an id again, while a live operation has it, is closed with 4409', async () => {
    const id = 'é'.repeat(200);
    const socket = await openSocketOf(alice, parley.webSocketUrl);
    const { liveCursor: after } = await page(alice, roomId);
    socket.send(subscribe(id, { query: MESSAGE_ADDED, variables: { roomId, after } }));
    // After two messages, the subscription is served by its group.
    for (const count of [1, 2]) {
      await send(alice, roomId, 'live');
      await socket.received('next', id, count);
    }
    socket.send(subscribe(id));
    expect(await socket.closed).toMatchObject({ code: 4409 });
  });

  test('may complete an unknown id', async () => {
    const socket = await openSocketOf(alice, parley.webSocketUrl);
    socket.send({ type: 'complete', id: 'unknown' }, { type: 'pong', payload: {} }, { type: 'ping' });
    await socket.received('pong');
    socket.destroy();
  });

  test.each<[string, number, Buffer, number]>([
    ['text that is not UTF-8', OPCODE.text, Buffer.from([0xff, 0xfe]), 1007],
    ['an unknown opcode', 3, Buffer.from('x'), 1002],
    ['a close frame with an invalid code', OPCODE.close, Buffer.from([0, 1]), 1002],
  ])('that sends %s is closed by the rules of WebSocket', async (_name, opcode, payload, code) => {
    const wire = await openWire(alice, parley.webSocketUrl, encodeFrame(opcode, payload));
    await wire.ended();
    const close = wire.frames.find((frame) => frame.opcode === OPCODE.close);
    expect(Buffer.from(close?.text ?? '', 'latin1').readUInt16BE(0)).toBe(code);
  });

  test('that disappears at any moment leaves no error', async () => {
    for (let count = 0; count < 10; count += 1) {
      const socket = await openSocketOf(alice, parley.webSocketUrl);
      socket.send(subscribe('1'), subscribe('2', { query: '{ viewer { id } }' }));
      if (count % 2 === 0) await socket.received('next', '2');
      socket.destroy();
    }
    const last = await openSocketOf(alice, parley.webSocketUrl);
    last.send({ type: 'ping' });
    await last.received('pong');
    last.destroy();
  });
});

const repeat = (text: string, times: number) => text.repeat(times);

/** Wrong operations, each with its variables. */
const OPERATIONS: Record<string, [string, unknown?]> = {
  'an empty document': [''],
  'only a comment': ['# nothing'],
  'a syntax error': ['query {'],
  'a NUL': ['{ __typename \0 }'],
  'a lone surrogate': ['{ __typename(x: "\ud800") }'],
  'a schema definition': ['type Query { x: Int }'],
  'only a fragment': ['fragment F on Query { __typename }'],
  'deep selections': [`${repeat('{ room ', 400)}${repeat('}', 400)}`],
  'deep lists': [`{ rooms(first: ${repeat('[', 900)}${repeat(']', 900)}) { nodes { id } } }`],
  'deep objects': [`{ rooms(first: ${repeat('{ a: ', 450)}1${repeat('}', 450)}) { nodes { id } } }`],
  'deep types': [`query ($a: ${repeat('[', 900)}Int${repeat(']', 900)}) { __typename }`],
  'a recursive fragment': ['{ ...F } fragment F on Query { ...F }'],
  'an unknown directive': ['{ __typename @nonsense }'],
  'a directive without its argument': ['{ __typename @skip }'],
  'a variable that is not defined': ['{ node(id: $id) { id } }'],
  'a variable of the wrong type': ['query ($id: ID!) { node(id: $id) { id } }', { id: { a: [1] } }],
  'a missing variable': ['query ($id: ID!) { node(id: $id) { id } }'],
  'an integer that is too large': ['query ($n: Int) { rooms(first: $n) { nodes { id } } }', { n: 1e300 }],
  'an unknown enum value': ['{ rooms(kind: NONSENSE) { nodes { id } } }'],
  'a page of a negative size': ['{ rooms(first: -1) { nodes { id } } }'],
  'a cursor that is not one': ['{ rooms(first: 1, after: "nonsense") { nodes { id } } }'],
  'a subscription to an unknown field': ['subscription { nowhere }'],
  'a subscription to no room': ['subscription { messageAdded(roomId: "nonsense") { cursor } }'],
  'a subscription after nonsense': [
    'subscription ($roomId: ID!) { messageAdded(roomId: $roomId, after: "nonsense") { cursor } }',
  ],
  'a subscription with two fields': [
    'subscription ($a: ID!) { a: messageAdded(roomId: $a) { cursor } b: messageAdded(roomId: $a) { cursor } }',
    { a: 'x' },
  ],
  'a subscription to __typename': ['subscription { __typename }'],
  'a skipped subscription': ['subscription { messageAdded(roomId: "x") @skip(if: true) { cursor } }'],
};

function expectCodes(errors: readonly { message: string; extensions?: { code?: string } }[] | undefined) {
  expect(errors?.length).toBeGreaterThan(0);
  for (const { message, extensions } of errors ?? []) {
    expect(CODES).toContain(extensions?.code);
    expect(extensions).not.toHaveProperty('originalError');
    expect(message).not.toMatch(/not iterable|of undefined|TypeError|RangeError|call stack|\bat \//);
  }
}

describe.each(Object.keys(OPERATIONS))('an operation with %s has only coded errors', (name) => {
  const [query = '', variables] = OPERATIONS[name] ?? [];
  const body = () => JSON.stringify({ query, variables: variables ?? { roomId } });
  const authorized = () => ({ authorization: `Bearer ${alice.token}` });

  test.each(['application/json', 'application/graphql-response+json', 'application/json, text/event-stream'])(
    'over HTTP as %s',
    async (accept) => {
      const headers = { ...authorized(), 'content-type': 'application/json', accept };
      const posted = await exchange(parley.url, { method: 'POST', headers, body: body() });
      expectCodes(errorsOf(posted.text));
      expect(posted.status).toBeLessThan(500);
      const parameters = new URLSearchParams({ query, variables: JSON.stringify(variables ?? { roomId }) });
      const got = await exchange(`${parley.url}?${parameters}`, { headers: { ...authorized(), accept } });
      expectCodes(errorsOf(got.text));
      expect(got.status).toBeLessThan(500);
    },
  );

  test('over server-sent events', async () => {
    const headers = { ...authorized(), 'content-type': 'application/json', accept: 'text/event-stream' };
    const { text } = await exchange(parley.url, { method: 'POST', headers, body: body() });
    const [, data = ''] = /^event: next\ndata: (.*)$/m.exec(text) ?? [];
    expectCodes(errorsOf(data));
    expect(text).toContain('event: complete');
  });

  test('over WebSocket', async () => {
    const socket = await openSocketOf(alice, parley.webSocketUrl);
    socket.send(subscribe('1', { query, variables: variables ?? { roomId } }));
    const [frame] = await Promise.race([socket.received('next', '1'), socket.received('error', '1')]);
    expectCodes(frame?.type === 'next' ? frame.payload.errors : frame?.payload);
    socket.destroy();
  });
});

describe('an HTTP request', () => {
  const JSON_HEADERS = { 'content-type': 'application/json' };

  const bodies: Record<string, string> = {
    nothing: '',
    'an incomplete object': '{',
    null: 'null',
    'an empty list': '[]',
    'a batch': '[{"query":"{ __typename }"}]',
    'a text': '"text"',
    'a number': '1',
    'an empty object': '{}',
    'a query that is a number': '{"query":1}',
    'no query': '{"query":null}',
    'variables that are a list': '{"query":"{ __typename }","variables":[]}',
    'variables that are a text': '{"query":"{ __typename }","variables":"x"}',
    'an operationName that is an object': '{"query":"{ __typename }","operationName":{}}',
    'extensions that are a number': '{"query":"{ __typename }","extensions":1}',
    'an unknown parameter': '{"query":"{ __typename }","unknown":1}',
    'a byte order mark': '\ufeff{"query":"{ __typename }"}',
    'deeply nested JSON': '['.repeat(60_000),
    'a text beyond the limit': `{"query":"${'x'.repeat(70_000)}"}`,
  };

  test.each(Object.keys(bodies))('whose body is %s has only coded errors', async (name) => {
    const body = bodies[name] ?? '';
    for (const accept of ['application/json', 'application/graphql-response+json', 'text/event-stream']) {
      const headers = { ...JSON_HEADERS, accept };
      const { status, text } = await exchange(parley.url, { method: 'POST', headers, body });
      expect(status).toBeLessThan(500);
      // A body that is too long is refused before the type of the response matters.
      if (accept !== 'text/event-stream' || status === 413) expectCodes(errorsOf(text));
      else expectCodes(errorsOf(/^data: (.*)$/m.exec(text)?.[1] ?? ''));
    }
  });

  test('that breaks off in the middle of its body leaves no error', async () => {
    const { hostname, port } = new URL(parley.url);
    for (const type of ['application/json', 'text/plain', 'Application/JSON ;x=y']) {
      const socket = connectTcp(Number(port), hostname);
      await once(socket, 'connect');
      socket.write(
        `POST /graphql HTTP/1.1\r\nHost: ${hostname}\r\nContent-Type: ${type}\r\nContent-Length: 500\r\n\r\n{"query`,
      );
      // The server has read the beginning when it responds to another request.
      await exchange(parley.url, {});
      socket.destroy();
      await once(socket, 'close');
      await exchange(parley.url, {});
    }
  });
});
