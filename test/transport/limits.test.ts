import { getIntrospectionQuery } from 'graphql';
import { beforeAll, describe, expect, test } from 'vitest';
import { createRoom, type Person, page, send, signUp } from '../helpers/client.js';
import { startParley, type TestParley } from '../helpers/parley.js';
import { openRawSocket, openSocketOf } from '../helpers/raw-socket.js';
import { transportsOf } from '../helpers/transports.js';

let parley: TestParley;
let alice: Person;
let roomId: string;

beforeAll(async () => {
  parley = await startParley();
  alice = await signUp(parley.url);
  roomId = await createRoom(alice);
});

const transports = transportsOf(() => ({ url: parley.url, person: alice }));
const names = ['HTTP', 'WebSocket', 'SSE'] as const;

const repeat = (count: number, part: (index: number) => string) =>
  Array.from({ length: count }, (_, i) => part(i)).join(' ');
const sendMessage = 'sendMessage(input: $input)';
const SEND = `mutation ($input: SendMessageInput!)`;
/** Three levels per repetition: `room`, `messages`, `nodes`. */
const nested = (times: number): string =>
  times === 0 ? 'id' : `room { messages(last: 1) { nodes { ${nested(times - 1)} } } }`;
const edge = (selection: string) => `... on SendMessagePayload { edge { node { ${selection} } } }`;

/** All but the first would send a message if they were executed. */
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
  test.each(Object.keys(tooLarge))('%s are rejected, and nothing is executed', async (excess) => {
    const { data, errors } = await transports[name](tooLarge[excess] ?? '', {
      input: { roomId, text: excess },
    });

    expect(data).toBeFalsy();
    expect(errors).not.toEqual([]);
    for (const { extensions } of errors ?? []) expect(extensions).toMatchObject({ code: 'LIMIT_EXCEEDED' });
    expect((await page(alice, roomId)).edges).toEqual([]);
  });

  test('50 aliases, hundreds of tokens and 12 levels are accepted', async () => {
    const aliases = `{ viewer { ${repeat(50, (i) => `a${i}: __typename`)} } }`;
    expect(await transports[name](aliases)).toMatchObject({ data: { viewer: { a49: 'Viewer' } } });
    const fields = 'id username displayName avatarUrl createdAt';
    const tokens = `{ ${repeat(20, (i) => `a${i}: viewer { id user { ${fields} } rooms(first: 1) { nodes { id name kind } } }`)} }`;
    expect(await transports[name](tokens)).toMatchObject({
      data: { a19: { user: { username: alice.username } } },
    });
    // One level for `node`, 3 × 3 for the rooms, one for the id; the braces of a fragment do not count.
    const levels = `query ($id: ID!) { node(id: $id) { ... on Message { ${nested(3)} } } }`;
    expect(await transports[name](levels, { id: 'x' })).toEqual({ data: { node: null } });
  });

  test('the standard introspection query is executed', async () => {
    const { data, errors } = await transports[name](
      getIntrospectionQuery({ descriptions: true, specifiedByUrl: true }),
    );

    expect(errors).toBeUndefined();
    expect(data).toMatchObject({ __schema: { queryType: { name: 'Query' } } });
  });

  test('a recursive introspection query is rejected', async () => {
    const recursive = (times: number): string =>
      times === 0 ? 'name' : `fields { type { ${recursive(times - 1)} } }`;
    const { data, errors } = await transports[name](`{ __schema { types { ${recursive(10)} } } }`);

    expect(data).toBeFalsy();
    expect(errors?.length).toBeGreaterThan(0);
  });
});

test('INTROSPECTION=off rejects introspection, and only that, on every transport', async () => {
  const { url } = await startParley({ env: { INTROSPECTION: 'off' } });
  for (const name of names) {
    const { data, errors } = await transports[name]('{ __schema { queryType { name } } }', {}, url);

    expect(data, name).toBeFalsy();
    expect(errors?.length, name).toBeGreaterThan(0);
    for (const { extensions } of errors ?? [])
      expect(extensions, name).toMatchObject({ code: 'BAD_USER_INPUT' });
    expect(await transports[name]('{ __typename }', {}, url), name).toEqual({
      data: { __typename: 'Query' },
    });
  }
});

describe('a socket', () => {
  test('a socket may have 100 operations in progress; further ones are rejected until one of them ends', async () => {
    const room = await createRoom(alice);
    const { liveCursor: after } = await page(alice, room);
    const socket = await openSocketOf(alice, parley.webSocketUrl);
    for (let number = 1; number <= 1000; number += 1) socket.subscribe(`${number}`, { roomId: room, after });
    const rejected = await socket.received('error', undefined, 900);

    for (const { payload } of rejected)
      expect(payload).toMatchObject([{ extensions: { code: 'LIMIT_EXCEEDED' } }]);
    expect(new Set(rejected.map(({ id }) => Number(id)))).toEqual(
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

  test('each of 200 sockets that never send connection_init is closed with 4408', async () => {
    const sockets = await Promise.all(Array.from({ length: 200 }, () => openRawSocket(parley.webSocketUrl)));
    const closed = await Promise.all(sockets.map((socket) => socket.closed));

    expect(new Set(closed.map(({ code }) => code))).toEqual(new Set([4408]));
  });

  test('a socket may send a frame of 64 KiB, and is closed with 1009 after one more byte', async () => {
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
    // The server disconnects while the client is still sending, so it may not receive the code.
    expect([1009, 1006]).toContain((await huge.closed).code);
    expect((await alice.request('{ viewer { id } }')).errors).toBeUndefined();
  });
});
