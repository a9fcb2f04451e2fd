import { beforeAll, describe, expect, test } from 'vitest';
import { MAX_PIPELINED_REQUESTS } from '../../src/transport/http/turns.js';
import { createRoom, MESSAGE_ADDED, type Person, signUp } from '../helpers/client.js';
import { exchange } from '../helpers/exchange.js';
import { startParley, type TestParley } from '../helpers/parley.js';
import { openRawHttp } from '../helpers/raw-http.js';

/* HTTP connections of clients that send more, less or something else than a request. */

const RECEIVE_TIMEOUT_MS = 500;
const HEALTH = 'GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n';
const HEALTHY = '{"status":"ok"}';

let parley: TestParley;
let alice: Person;

beforeAll(async () => {
  parley = await startParley({ overrides: { receiveTimeoutMs: RECEIVE_TIMEOUT_MS } });
  alice = await signUp(parley.url);
});

async function open(url = parley.url) {
  const connection = await openRawHttp(url);
  return {
    ...connection,
    /** How often the server has sent this text. */
    count: (part: string): number => connection.text().split(part).length - 1,
  };
}

function post(query: string, headers: readonly string[] = []): string {
  const body = JSON.stringify({ query });
  return [
    'POST /graphql HTTP/1.1',
    'Host: localhost',
    'Content-Type: application/json',
    `Content-Length: ${body.length}`,
    ...headers,
    '',
    body,
  ].join('\r\n');
}

describe('pipelined requests', () => {
  test('a few are answered, in their order', async () => {
    const connection = await open();
    connection.socket.write(
      HEALTH + post('{ first: __typename }') + HEALTH + post('{ second: __typename }') + HEALTH,
    );

    await expect.poll(() => connection.count(HEALTHY)).toBe(3);
    const bodies = connection.text().match(/\{"(status|data)".*\}/g);
    expect(bodies).toEqual([
      HEALTHY,
      '{"data":{"first":"Query"}}',
      HEALTHY,
      '{"data":{"second":"Query"}}',
      HEALTHY,
    ]);
    connection.socket.destroy();
  });

  test('the greatest number is answered, one more closes the connection', async () => {
    const some = await open();
    some.socket.write(HEALTH.repeat(1 + MAX_PIPELINED_REQUESTS));
    await expect.poll(() => some.count(HEALTHY)).toBe(1 + MAX_PIPELINED_REQUESTS);
    some.socket.destroy();

    const many = await open();
    many.socket.write(HEALTH.repeat(2 + MAX_PIPELINED_REQUESTS));
    await expect.poll(many.isClosed).toBe(true);
    expect(many.count(HEALTHY)).toBeLessThan(2);
  });

  test('requests behind an event stream wait for its end', async () => {
    const roomId = await createRoom(alice);
    const body = JSON.stringify({ query: MESSAGE_ADDED, variables: { roomId } });
    const connection = await open();
    connection.socket.write(
      [
        'POST /graphql HTTP/1.1',
        'Host: localhost',
        'Content-Type: application/json',
        'Accept: text/event-stream',
        `Authorization: Bearer ${alice.token}`,
        `Content-Length: ${body.length}`,
        '',
        `${body}${HEALTH}`,
      ].join('\r\n'),
    );

    await expect.poll(connection.text).toContain('text/event-stream');
    await expect.poll(() => exchange(new URL('/health', parley.url).href, {})).toMatchObject({ status: 200 });
    expect(connection.count(HEALTHY)).toBe(0);
    connection.socket.destroy();
  });

  test('a stop does not wait for connections that closed with requests in their queue', async () => {
    const own = await startParley();
    for (let index = 0; index < 20; index += 1) {
      const connection = await open(own.url);
      connection.socket.write(post('{ __schema { types { name fields { name } } } }').repeat(10));
      connection.socket.resetAndDestroy();
    }
    const start = performance.now();
    await own.stop();

    // Pending responses get 5 s.
    expect(performance.now() - start).toBeLessThan(4000);
  });

  test('an upgrade behind a pending request closes the connection', async () => {
    const connection = await open();
    const upgrade = [
      'GET /graphql HTTP/1.1',
      'Host: localhost',
      'Upgrade: websocket',
      'Connection: Upgrade',
      'Sec-WebSocket-Version: 13',
      'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==',
      'Sec-WebSocket-Protocol: graphql-transport-ws',
      '',
      '',
    ].join('\r\n');
    connection.socket.write(post('{ __schema { types { name } } }') + upgrade);

    await expect.poll(connection.isClosed).toBe(true);
    expect(connection.text()).not.toContain('101 Switching Protocols');
  });
});

describe('a request that does not arrive', () => {
  const slow: Readonly<Record<string, string>> = {
    nothing: '',
    'half a header': 'POST /graphql HTTP/1.1\r\nHost: loc',
    'half a body': post('{ __typename }').slice(0, -5),
    'a chunked body without an end': `${
      post('{ __typename }', ['Transfer-Encoding: chunked'])
        .replace(/Content-Length.*\r\n/, '')
        .split('\r\n\r\n')[0]
    }\r\n\r\n5\r\n{"que\r\n`,
  };
  test.each(Object.keys(slow))(
    '%s gets 408 and a closed connection, and others notice nothing',
    async (name) => {
      const connection = await open();
      connection.socket.write(slow[name] ?? '');

      await expect.poll(connection.isClosed, { timeout: 5000 }).toBe(true);
      expect(connection.text()).toMatch(/^HTTP\/1\.1 408 /);
      expect(connection.text()).toContain('"code":"BAD_USER_INPUT"');
      expect(await alice.request('{ __typename }')).toEqual({ data: { __typename: 'Query' } });
    },
  );

  test('a connection is closed without a response if one has begun', async () => {
    const roomId = await createRoom(alice);
    const body = JSON.stringify({ query: MESSAGE_ADDED, variables: { roomId } });
    const connection = await open();
    const head = `POST /graphql HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nAccept: text/event-stream\r\nAuthorization: Bearer ${alice.token}\r\nContent-Length: ${body.length}\r\n\r\n`;
    connection.socket.write(`${head}${body}`);
    await expect.poll(connection.text).toContain('text/event-stream');
    connection.socket.write('garbage\r\n\r\n');

    await expect.poll(connection.isClosed).toBe(true);
    expect(connection.count('HTTP/1.1')).toBe(1);
  });
});

describe('what is not HTTP', () => {
  test.each([
    ['garbage', 'what is this?\r\n\r\n', 400, 'BAD_USER_INPUT'],
    ['a TLS handshake', '\x16\x03\x01\x02\x00\x01\x00', 400, 'BAD_USER_INPUT'],
    [
      'two lengths',
      'POST /graphql HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n',
      400,
      'BAD_USER_INPUT',
    ],
    [
      'a length and chunks',
      'POST /graphql HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n',
      400,
      'BAD_USER_INPUT',
    ],
    [
      'long headers',
      `GET /health HTTP/1.1\r\nHost: a\r\nX-Long: ${'x'.repeat(20_000)}\r\n\r\n`,
      431,
      'LIMIT_EXCEEDED',
    ],
  ])('%s gets a coded error, and nothing is logged above debug', async (_, bytes, status, code) => {
    const before = parley.log.length;
    const connection = await open();
    connection.socket.write(bytes, 'latin1');

    await expect.poll(connection.isClosed).toBe(true);
    expect(connection.text()).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    expect(connection.text()).toContain(`"code":"${code}"`);
    const levels = parley.log.slice(before).map((line) => JSON.parse(line).level);
    expect(Math.max(0, ...levels)).toBeLessThanOrEqual(20);
  });
});

test.each([
  ['data', '{ __typename }'],
  ['an error', '{ nowhere }'],
])('a response with %s is not stored and not sniffed', async (_, query) => {
  for (const method of ['GET', 'POST']) {
    const { headers } = await exchange(
      method === 'GET' ? `${parley.url}?query=${encodeURIComponent(query)}` : parley.url,
      method === 'GET'
        ? { headers: { accept: 'application/json' } }
        : { method, headers: { 'content-type': 'application/json' }, body: JSON.stringify({ query }) },
    );
    expect(headers).toMatchObject({ 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' });
  }
});
