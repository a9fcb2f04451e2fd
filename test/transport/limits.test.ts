import { getIntrospectionQuery } from 'graphql';
import { beforeAll, describe, expect, test } from 'vitest';
import { createRoom, type Person, page, type Result, request, send, signUp } from '../helpers/client.js';
import { openEventStream } from '../helpers/event-stream.js';
import { startParley, type TestParley } from '../helpers/parley.js';
import { openRawSocket, openSocketOf } from '../helpers/raw-socket.js';

let parley: TestParley;
let alice: Person;
let roomId: string;

beforeAll(async () => {
  parley = await startParley();
  alice = await signUp(parley.url);
  roomId = await createRoom(alice);
});

type Run = (query: string, variables?: object, url?: string) => Promise<Result<object>>;

/** The result of one operation, whichever way it comes. */
const transports: Record<string, Run> = {
  HTTP: (query, variables, url = parley.url) => request(url, query, variables, alice.token),

  async WebSocket(query, variables = {}, url = parley.url) {
    const socket = await openSocketOf(alice, url.replace('http', 'ws'));
    socket.subscribe('1', variables, query);
    const [frame] = await Promise.race([socket.received('next'), socket.received('error')]);
    socket.destroy();
    if (frame?.type === 'next') return frame.payload;
    return { errors: frame?.payload ?? [] };
  },

  async SSE(query, variables = {}, url = parley.url) {
    const stream = await openEventStream(url, alice, variables, query);
    const [first] = await stream.received(1);
    stream.abort();
    return first?.result ?? {};
  },
};
const names = Object.keys(transports);
const over = (name: string): Run => transports[name] ?? Promise.reject;

const repeat = (count: number, part: (index: number) => string) =>
  Array.from({ length: count }, (_, i) => part(i)).join(' ');
const sendMessage = 'sendMessage(input: $input)';
const SEND = `mutation ($input: SendMessageInput!)`;
/** 3 levels each: `room`, `messages`, `nodes`. */
const nested = (times: number): string =>
  times === 0 ? 'id' : `room { messages(last: 1) { nodes { ${nested(times - 1)} } } }`;
const edge = (selection: string) => `... on SendMessagePayload { edge { node { ${selection} } } }`;

/** All but the first would send, if they were executed. */
const tooLarge: Record<string, string> = {
  '2,000 aliases': `{ ${repeat(2000, (i) => `a${i}: __typename`)} }`,
  '51 aliases': `${SEND} { ${repeat(51, (i) => `a${i}: ${sendMessage} { __typename }`)} }`,
  '51 aliases in a fragment': `${SEND} { ...F } fragment F on Mutation { ${repeat(51, (i) => `a${i}: ${sendMessage} { __typename }`)} }`,
  '10,000 tokens': `${SEND} { ${sendMessage} { ${edge(repeat(10_000, () => 'id'))} } }`,
  '2,001 tokens': `${SEND} { ${sendMessage} { ${edge(repeat(2001 - 24, () => 'id'))} } }`,
  '50 levels': `${SEND} { ${sendMessage} { ${edge(nested(16))} } }`,
  '50 levels of fragments': `${SEND} { ${sendMessage} { ${edge('...F0')} } }
    ${repeat(16, (i) => `fragment F${i} on Message { room { messages(last: 1) { nodes { ...F${i + 1} } } } }`)}
    fragment F16 on Message { id }`,
  '50 levels of inline fragments': `${SEND} { ${sendMessage} { ${repeat(50, () => '... on SendMessagePayload {')} ${edge(nested(4))} ${repeat(50, () => '}')} } }`,
};

describe.each(names)('over %s', (name) => {
  test.each(Object.keys(tooLarge))('%s are too many, and nothing is executed', async (what) => {
    const { data, errors } = await over(name)(tooLarge[what] ?? '', { input: { roomId, text: what } });

    expect(data).toBeFalsy();
    expect(errors).not.toEqual([]);
    for (const { extensions } of errors ?? []) expect(extensions).toMatchObject({ code: 'LIMIT_EXCEEDED' });
    expect((await page(alice, roomId)).edges).toEqual([]);
  });

  test('50 aliases, hundreds of tokens and 12 levels are taken', async () => {
    const aliases = `{ ${repeat(50, (i) => `a${i}: __typename`)} }`;
    expect(await over(name)(aliases)).toMatchObject({ data: { a49: 'Query' } });
    const tokens = `{ ${repeat(400, () => '__typename')} }`;
    expect(await over(name)(tokens)).toEqual({ data: { __typename: 'Query' } });
    // node, then 3 times 3 levels, then an id: within a fragment's braces, which count as none.
    const levels = `query ($id: ID!) { node(id: $id) { ... on Message { ${nested(3)} } } }`;
    expect(await over(name)(levels, { id: 'x' })).toEqual({ data: { node: null } });
  });

  test('the standard introspection query is answered', async () => {
    const { data, errors } = await over(name)(
      getIntrospectionQuery({ descriptions: true, specifiedByUrl: true }),
    );

    expect(errors).toBeUndefined();
    expect(data).toMatchObject({ __schema: { queryType: { name: 'Query' } } });
  });

  test('an introspection that asks itself round in circles is refused', async () => {
    const circles = (times: number): string =>
      times === 0 ? 'name' : `fields { type { ${circles(times - 1)} } }`;
    const { data, errors } = await over(name)(`{ __schema { types { ${circles(10)} } } }`);

    expect(data).toBeFalsy();
    expect(errors?.length).toBeGreaterThan(0);
  });
});

test('INTROSPECTION=off refuses it on every transport, and all else goes on', async () => {
  const { url } = await startParley({ env: { INTROSPECTION: 'off' } });
  for (const name of names) {
    const { data, errors } = await over(name)('{ __schema { queryType { name } } }', {}, url);

    expect(data, name).toBeFalsy();
    expect(errors?.length, name).toBeGreaterThan(0);
    for (const { extensions } of errors ?? [])
      expect(extensions, name).toMatchObject({ code: 'BAD_USER_INPUT' });
    expect(await over(name)('{ __typename }', {}, url), name).toEqual({ data: { __typename: 'Query' } });
  }
});

describe('a socket', () => {
  test('has 100 operations under way: each beyond is told so, the others go on, and one that ends makes room', async () => {
    const room = await createRoom(alice);
    const { liveCursor: after } = await page(alice, room);
    const socket = await openSocketOf(alice, parley.webSocketUrl);
    for (let number = 1; number <= 1000; number += 1) socket.subscribe(`${number}`, { roomId: room, after });
    const refused = await socket.received('error', undefined, 900);

    for (const { payload } of refused)
      expect(payload).toMatchObject([{ extensions: { code: 'LIMIT_EXCEEDED' } }]);
    expect(new Set(refused.map(({ id }) => Number(id)))).toEqual(
      new Set(Array.from({ length: 900 }, (_, index) => index + 101)),
    );
    await send(alice, room, 'x');
    const delivered = await socket.received('next', undefined, 100);
    expect(new Set(delivered.map(({ id }) => id)).size).toBe(100);

    socket.send({ type: 'complete', id: '1' });
    socket.subscribe('again', { roomId: room, after });
    await socket.received('next', 'again');
    socket.destroy();
  });

  test('that never says who it is is closed with 4408, however many there are', async () => {
    const sockets = await Promise.all(Array.from({ length: 200 }, () => openRawSocket(parley.webSocketUrl)));
    const closed = await Promise.all(sockets.map((socket) => socket.closed));

    expect(new Set(closed.map(({ code }) => code))).toEqual(new Set([4408]));
  });

  test('that sends a frame of 64 KiB is heard, and with one byte more closed with 1009', async () => {
    const frameOf = (bytes: number): string => {
      const frame = (padding: string) =>
        JSON.stringify({
          type: 'subscribe',
          id: '1',
          payload: { query: '{ __typename }', variables: { padding } },
        });
      return frame('x'.repeat(bytes - frame('').length));
    };
    const socket = await openSocketOf(alice, parley.webSocketUrl);
    socket.send(frameOf(64 * 1024));
    await socket.received('complete', '1');
    socket.send(frameOf(64 * 1024 + 1));
    expect(await socket.closed).toMatchObject({ code: 1009 });

    const huge = await openSocketOf(alice, parley.webSocketUrl);
    huge.send('x'.repeat(50 * 1024 * 1024));
    // It is cut off while it still sends, so it may never read the code.
    expect([1009, 1006]).toContain((await huge.closed).code);
    expect((await alice.request('{ viewer { id } }')).errors).toBeUndefined();
  });
});
