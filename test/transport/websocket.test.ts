import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { request as httpRequest } from 'node:http';
import { connect as connectTcp } from 'node:net';
import { beforeAll, describe, expect, test } from 'vitest';
import WebSocket from 'ws';
import { createTokens } from '../../src/auth/tokens.js';
import { connect, createRoom, type Person, page, type Result, send, signUp } from '../helpers/client.js';
import { startParley, type TestParley } from '../helpers/parley.js';
import { openRawSocket, openSocketOf } from '../helpers/raw-socket.js';

const ALLOWED = 'https://app.example.com';
const VIEWER = '{ viewer { user { username } } }';

let parley: TestParley;
let alice: Person;

beforeAll(async () => {
  parley = await startParley({ env: { ALLOWED_ORIGINS: ALLOWED } });
  alice = await signUp(parley.url);
});

/** Runs one operation with the standard client, which is then disposed. */
async function run(
  query: string,
  connectionParams?: Record<string, unknown>,
  variables: Record<string, unknown> = {},
): Promise<Result<Record<string, unknown>>> {
  const client = connect(parley.webSocketUrl, connectionParams);
  const results = client.iterate({ query, variables });
  const { value } = await results.next();
  await client.dispose();
  // The client creates GraphQLErrors; tests compare plain objects, as sent over the wire.
  return JSON.parse(JSON.stringify(value));
}

/** Runs one operation with the standard client, and resolves with the error it fails with. */
async function failure(connectionParams: Record<string, unknown>): Promise<unknown> {
  const client = connect(parley.webSocketUrl, connectionParams);
  try {
    return await client.iterate({ query: VIEWER }).next();
  } catch (error) {
    return error;
  }
}

/**
 * Opens a WebSocket without `ws`, which hides all frames after a handshake without a subprotocol, and returns the code of
 * the close frame.
 */
function closeCodeOf(protocol: string | undefined): Promise<number> {
  return new Promise((resolve, reject) => {
    const upgrade = httpRequest(parley.url, {
      headers: {
        connection: 'Upgrade',
        upgrade: 'websocket',
        'sec-websocket-version': '13',
        'sec-websocket-key': randomBytes(16).toString('base64'),
        ...(protocol === undefined ? {} : { 'sec-websocket-protocol': protocol }),
      },
    });
    upgrade.on('error', reject);
    upgrade.on('upgrade', (_response, socket, head) => {
      const read = (data: Buffer): void => {
        // The first frame: FIN and opcode 8 (close), the length, then the code.
        resolve(data[0] === 0x88 ? data.readUInt16BE(2) : 0);
        socket.destroy();
      };
      if (head.length > 0) read(head);
      else socket.once('data', read);
    });
    upgrade.end();
  });
}

describe('an operation over WebSocket', () => {
  test('queries and mutations are executed over WebSocket', async () => {
    const roomId = await createRoom(alice);
    const authorization = `Bearer ${alice.token}`;

    const { data } = await run(
      'mutation ($input: SendMessageInput!) { sendMessage(input: $input) { __typename } }',
      { authorization },
      { input: { roomId, text: 'over WebSocket' } },
    );
    expect(data).toEqual({ sendMessage: { __typename: 'SendMessagePayload' } });
    expect((await page(alice, roomId)).edges.map(({ node }) => node.text)).toEqual(['over WebSocket']);
    expect(await run(VIEWER, { authorization })).toEqual({
      data: { viewer: { user: { username: alice.username } } },
    });
  });

  test.each([
    ['B', 'The document contains no operation named "B": set operationName to one that it contains.'],
    [undefined, 'The document contains several operations: set operationName to select one.'],
  ])(
    'an operation is rejected with a code if operationName is %s in a document with several operations',
    async (operationName, message) => {
      const socket = await openSocketOf(alice, parley.webSocketUrl);
      const query = 'query A { __typename } query C { __typename }';
      socket.send({ type: 'subscribe', id: 'x', payload: { query, operationName } });
      const [error] = await socket.received('error', 'x');
      expect(error?.payload).toMatchObject([{ message, extensions: { code: 'BAD_USER_INPUT' } }]);
    },
  );

  test('operations are executed in the order of their socket', async () => {
    const socket = await openSocketOf(alice, parley.webSocketUrl);
    const roomId = await createRoom(alice);
    const mutation =
      'mutation ($input: SendMessageInput!) { sendMessage(input: $input) { ... on SendMessagePayload { edge { node { seq } } } } }';
    const count = 30;
    for (let number = 1; number <= count; number += 1)
      socket.subscribe(`m${number}`, { input: { roomId, text: `${number}` } }, mutation);
    await socket.received('complete', undefined, count);

    const { edges } = await page(alice, roomId);
    expect(edges.map(({ node }) => node.text)).toEqual(
      Array.from({ length: count }, (_, index) => `${index + 1}`),
    );
  });
});

describe('connectionParams', () => {
  test.each<[string, (token: string) => Record<string, unknown>]>([
    ['authorization', (token) => ({ authorization: `Bearer ${token}` })],
    ['Authorization', (token) => ({ Authorization: `Bearer ${token}` })],
    ['AUTHORIZATION with bearer', (token) => ({ AUTHORIZATION: `bearer ${token}` })],
    ['authToken', (token) => ({ authToken: token })],
    ['token', (token) => ({ token })],
  ])('connectionParams authenticate with %s', async (_name, params) => {
    expect(await run(VIEWER, params(alice.token))).toEqual({
      data: { viewer: { user: { username: alice.username } } },
    });
  });

  test.each<[string, Record<string, unknown> | undefined]>([
    ['absent', undefined],
    ['empty', {}],
    ['without a token', { authToken: null }],
    ['with an empty token', { authorization: '' }],
  ])(
    'connectionParams (%s) leave the client anonymous: protected fields fail as UNAUTHENTICATED',
    async (_name, params) => {
      expect(await run('{ rooms { nodes { id } } __typename }', params)).toMatchObject({
        data: { rooms: null, __typename: 'Query' },
        errors: [{ extensions: { code: 'UNAUTHENTICATED', reason: 'MISSING' } }],
      });
    },
  );

  test.each<[string, Record<string, unknown>]>([
    ['garbage', { authorization: 'Bearer garbage' }],
    ['another scheme', { authorization: 'Basic YWxpY2U6YQ==' }],
    ['«Bearer» alone', { authorization: 'Bearer' }],
    ['a token that is not a string', { authToken: { nested: true } }],
    ['an invalid bare token', { token: 'garbage' }],
  ])(
    'a socket with %s in connectionParams is closed with 4401, and the standard client gives up',
    async (_name, params) => {
      expect(await failure(params)).toMatchObject({ code: 4401 });
    },
  );

  test('a socket with an expired token is closed with 4403, and the standard client reads its connectionParams again', async () => {
    const tokens = createTokens(parley.config.jwtSecret ?? '', 0);
    const authentication = await tokens.authenticate(alice.token);
    if (authentication.kind !== 'viewer') throw new Error('A token that was just issued must be valid.');
    const remaining = [(await tokens.issue(authentication.viewer)).token, alice.token];
    const client = connect(parley.webSocketUrl, () => ({ authorization: `Bearer ${remaining.shift()}` }));
    const codes: unknown[] = [];
    client.on('closed', (event) => codes.push((event as CloseEvent).code));

    const { value } = await client.iterate({ query: VIEWER }).next();
    expect(value).toEqual({ data: { viewer: { user: { username: alice.username } } } });
    expect(codes).toEqual([4403]);
    expect(remaining).toEqual([]);
  });

  test('a socket whose connectionParams are not an object is closed with 4400', async () => {
    const socket = await openRawSocket(parley.webSocketUrl);
    socket.send({ type: 'connection_init', payload: 'token' });

    expect(await socket.closed).toMatchObject({ code: 4400 });
  });
});

describe('a protocol violation', () => {
  test.each<[string, object | string]>([
    ['invalid JSON', '{'],
    ['an array', '[]'],
    ['a message of an unknown type', { type: 'shout' }],
    ['a subscribe without an id', { type: 'subscribe', payload: { query: VIEWER } }],
    ['a subscribe without a query', { type: 'subscribe', id: '1', payload: {} }],
    [
      'a subscribe whose variables are a list',
      { type: 'subscribe', id: '1', payload: { query: VIEWER, variables: [] } },
    ],
  ])('a socket that sends %s is closed with 4400', async (_name, message) => {
    const socket = await openSocketOf(alice, parley.webSocketUrl);
    socket.send(message);

    expect(await socket.closed).toMatchObject({ code: 4400 });
  });

  test('a socket that sends an operation before the connection is acknowledged is closed with 4401', async () => {
    const socket = await openRawSocket(parley.webSocketUrl);
    socket.subscribe('1', {}, VIEWER);

    expect(await socket.closed).toMatchObject({ code: 4401 });
  });

  test('a socket that reuses the id of an operation in progress is closed with 4409', async () => {
    const roomId = await createRoom(alice);
    const socket = await openSocketOf(alice, parley.webSocketUrl);
    socket.subscribe('1', { roomId });
    socket.subscribe('1', { roomId });

    expect(await socket.closed).toMatchObject({ code: 4409 });
  });

  test('messages that immediately follow a protocol violation are not executed', async () => {
    const roomId = await createRoom(alice);
    const socket = await openSocketOf(alice, parley.webSocketUrl);
    const input = { roomId, text: 'too late' };
    const query = 'mutation ($input: SendMessageInput!) { sendMessage(input: $input) { __typename } }';
    socket.send('{', { type: 'subscribe', id: '1', payload: { query, variables: { input } } });

    expect(await socket.closed).toMatchObject({ code: 4400 });
    // If the mutation had been executed, its message would precede this one.
    await send(alice, roomId, 'in time');
    expect((await page(alice, roomId)).edges.map(({ node }) => node.text)).toEqual(['in time']);
  });

  test('a socket that sends a second init is closed with 4429', async () => {
    const socket = await openSocketOf(alice, parley.webSocketUrl);
    socket.send({ type: 'connection_init' });

    expect(await socket.closed).toMatchObject({ code: 4429 });
  });

  test.each(['graphql-ws', 'chat, soap', undefined])(
    'a socket with the subprotocol %s is closed with 4406',
    async (protocol) => {
      expect(await closeCodeOf(protocol)).toBe(4406);
    },
  );
});

describe('a GraphQL error', () => {
  test.each<[string, string, Record<string, unknown>]>([
    ['a syntax error', '{', {}],
    ['an unknown field', '{ nowhere }', {}],
    ['an unknown field of a subscription', 'subscription { nowhere }', {}],
    [
      'two fields of a subscription',
      'subscription ($id: ID!) { a: messageAdded(roomId: $id) { cursor } b: messageAdded(roomId: $id) { cursor } }',
      { id: 'x' },
    ],
    ['a variable of the wrong type', 'query ($id: ID!) { node(id: $id) { id } }', { id: {} }],
    [
      'a missing variable of a subscription',
      'subscription ($id: ID!) { messageAdded(roomId: $id) { cursor } }',
      {},
    ],
    ['no operation', 'fragment F on Query { __typename }', {}],
  ])(
    'a GraphQL error (%s) ends one operation and leaves the socket open',
    async (_name, query, variables) => {
      const socket = await openSocketOf(alice, parley.webSocketUrl);
      socket.subscribe('wrong', variables, query);
      socket.subscribe('right', {}, VIEWER);
      await socket.received('complete', 'right');

      const responses = socket.frames.filter((frame) => 'id' in frame && frame.id === 'wrong');
      const errors = responses.flatMap((frame) =>
        frame.type === 'error' ? frame.payload : frame.type === 'next' ? (frame.payload.errors ?? []) : [],
      );
      expect(errors).not.toEqual([]);
      for (const { extensions } of errors) expect(extensions).toEqual({ code: 'BAD_USER_INPUT' });
      expect(socket.frames).toContainEqual(expect.objectContaining({ id: 'right', type: 'next' }));
    },
  );
});

describe('an upgrade', () => {
  const statusOf = (origin?: string, path = '') =>
    new Promise<number>((resolve) => {
      const socket = new WebSocket(`${parley.webSocketUrl}${path}`, 'graphql-transport-ws', {
        ...(origin === undefined ? {} : { headers: { origin } }),
      });
      socket.once('upgrade', ({ statusCode }) => resolve(statusCode ?? 0));
      socket.once('unexpected-response', (_request, { statusCode }) => resolve(statusCode ?? 0));
      socket.once('open', () => socket.terminate());
      socket.on('error', () => {});
    });

  test.each(['https://evil.example.com', 'null', 'not an origin', `${ALLOWED}.evil.example`])(
    'an upgrade from the origin %s is rejected with 403',
    async (origin) => {
      expect(await statusOf(origin)).toBe(403);
    },
  );

  test('an upgrade is accepted from the same origin, from an allowed origin and without an origin', async () => {
    expect(await statusOf(new URL(parley.url).origin)).toBe(101);
    expect(await statusOf(ALLOWED)).toBe(101);
    expect(await statusOf()).toBe(101);
  });

  test('an upgrade at another path than the API is rejected with 404', async () => {
    expect(await statusOf(undefined, 'x')).toBe(404);
  });

  test.each<[string, string, string]>([
    ['at another path than the API', '/x', 'HTTP/1.1 404'],
    ['from a foreign origin', '/graphql', 'HTTP/1.1 403'],
  ])(
    'an upgrade %s is disconnected, even if the client never closes its half',
    async (_name, path, statusLine) => {
      const { port, host } = new URL(parley.url);
      const client = connectTcp({ port: Number(port), host: '127.0.0.1', allowHalfOpen: true });
      // Writing to the closed connection fails.
      client.on('error', () => {});
      const closed = new Promise<void>((resolve) => client.once('close', () => resolve()));
      let text = '';
      client.setEncoding('utf8').on('data', (chunk) => {
        text += chunk;
      });
      client.write(
        [
          `GET ${path} HTTP/1.1`,
          `Host: ${host}`,
          'Origin: https://evil.example.com',
          'Connection: Upgrade',
          'Upgrade: websocket',
          'Sec-WebSocket-Version: 13',
          'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==',
          '\r\n',
        ].join('\r\n'),
      );
      await once(client, 'end');
      expect(text).toContain(statusLine);
      const writing = setInterval(() => client.write('x'), 10);

      await closed;
      clearInterval(writing);
    },
  );
});
