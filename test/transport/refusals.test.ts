import { once } from 'node:events';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createApp } from '../../src/app.js';
import { readConfig } from '../../src/config/index.js';
import { createLog } from '../../src/log.js';
import { createRoom, MESSAGE_ADDED, type Person, signUp } from '../helpers/client.js';
import { type Exchange, errorsOf, exchange, type HttpResponse } from '../helpers/exchange.js';
import { startParley, type TestParley } from '../helpers/parley.js';
import { openRawHttp } from '../helpers/raw-http.js';
import { stopAtEnd } from '../helpers/stopping.js';

/* Media types, and requests that are refused before or by GraphQL over HTTP: each with a coded error that helps. */

const RESPONSE_JSON = 'application/graphql-response+json';
/** Of Apollo Client's HttpLink, for a subscription. */
const APOLLO_ACCEPT = 'multipart/mixed;boundary="graphql";subscriptionSpec=1.0,application/json';

let parley: TestParley;
let alice: Person;
let roomId: string;
const finished: string[] = [];

beforeAll(async () => {
  const hooks = [
    {
      operationFinished: ({ name }: { name: string | null }, { errors }: { errors: readonly object[] }) =>
        void finished.push(`${name} ${errors.length}`),
    },
  ];
  parley = await startParley({ env: { GRAPHIQL: 'off' }, overrides: { hooks } });
  alice = await signUp(parley.url);
  roomId = await createRoom(alice);
});

beforeEach(() => {
  finished.length = 0;
});

function post(body: object, headers: Record<string, string>): Promise<HttpResponse> {
  return exchange(parley.url, {
    method: 'POST',
    headers: { authorization: `Bearer ${alice.token}`, ...headers },
    body: JSON.stringify(body),
  });
}

/** The only error of a refusal; its body is JSON in any case. */
function refusalOf({ status, headers, text }: HttpResponse) {
  expect(headers['content-type']).toMatch(/^application\/(graphql-response\+)?json; charset=utf-8$/);
  const [error, ...more] = errorsOf(text);
  expect(more).toEqual([]);
  return { status, code: error?.extensions.code, message: error?.message };
}

const QUERY = '{ __typename }';
const DATA = { data: { __typename: 'Query' } };

describe('a content type', () => {
  test.each([
    'application/json',
    'Application/json ;charset=utf-8',
    'APPLICATION/JSON',
    'application/json;',
    'application/json\t; charset="utf-8"',
    'application/json; charset=utf-8; profile="a;b"',
  ])('of JSON is accepted as %j, for every kind of response', async (contentType) => {
    const headers = { 'content-type': contentType };
    const direct = await post({ query: QUERY }, headers);
    expect([direct.status, JSON.parse(direct.text)]).toEqual([200, DATA]);
    // Handled by Yoga.
    const other = await post({ query: QUERY, unknown: null }, headers);
    expect([other.status, JSON.parse(other.text)]).toEqual([200, DATA]);
    const stream = await post({ query: QUERY }, { ...headers, accept: 'text/event-stream' });
    expect(stream.text).toContain(`data: ${JSON.stringify(DATA)}`);
  });

  test.each([
    'text/plain',
    'text/plain; application/json',
    'application/json, text/plain',
    'application/jsonp',
    'application/graphql+json',
    'application/graphql',
    'multipart/form-data; boundary=x',
    ';application/json',
    '',
  ])('of another kind is refused as %j', async (contentType) => {
    for (const accept of ['*/*', RESPONSE_JSON]) {
      const response = await post({ query: QUERY }, { 'content-type': contentType, accept });
      expect(refusalOf(response)).toEqual({
        status: 415,
        code: 'BAD_USER_INPUT',
        message: expect.stringContaining('application/json'),
      });
    }
  });
});

describe('an Accept header', () => {
  const accepting = (accept: string, body: object = { query: QUERY }) =>
    post(body, { 'content-type': 'application/json', accept });

  test.each<[string, string]>([
    ['application/json;q=0.1, application/graphql-response+json', RESPONSE_JSON],
    ['Application/JSON', 'application/json'],
    ['application/json ; charset=UTF-8', 'application/json'],
    ['application/json;q=0, */*', RESPONSE_JSON],
    [APOLLO_ACCEPT, 'application/json'],
    ['text/event-stream, application/json', 'application/json'],
    ['multipart/mixed;deferSpec=20220824, application/graphql-response+json', RESPONSE_JSON],
  ])('of %s selects %s', async (accept, type) => {
    for (const unknown of [undefined, null]) {
      const { status, headers, text } = await accepting(accept, { query: QUERY, unknown });
      expect(status).toBe(200);
      expect(headers['content-type']).toBe(`${type}; charset=utf-8`);
      expect(JSON.parse(text)).toEqual(DATA);
    }
  });

  test.each([
    'text/html',
    'image/png',
    'application/json;q=0',
    '*/*;q=0',
    'application/json;charset=latin1',
    'multipart/mixed;boundary=x',
    ';,;q=,=',
  ])('of %s is refused, by POST and by GET', async (accept) => {
    const expected = {
      status: 406,
      code: 'BAD_USER_INPUT',
      message: expect.stringMatching(/application\/json.*text\/event-stream/),
    };
    expect(refusalOf(await accepting(accept))).toEqual(expected);
    const url = `${parley.url}?query=${encodeURIComponent(QUERY)}`;
    expect(refusalOf(await exchange(url, { headers: { accept } }))).toEqual(expected);
  });

  describe.each([
    APOLLO_ACCEPT,
    'application/json',
    RESPONSE_JSON,
    `${RESPONSE_JSON}, application/json;q=0.9`,
    'multipart/mixed',
    'text/event-stream;q=0, */*',
  ])('of %s', (accept) => {
    test('is refused for a subscription, which does not start', async () => {
      const query = MESSAGE_ADDED.replace('subscription', 'subscription Listen');
      const url = new URL(parley.url);
      url.searchParams.set('query', query);
      url.searchParams.set('variables', JSON.stringify({ roomId }));
      const headers = { accept, authorization: `Bearer ${alice.token}` };
      for (const response of [
        await accepting(accept, { query, variables: { roomId } }),
        await exchange(url.href, { headers }),
      ])
        expect(refusalOf(response)).toEqual({
          status: 406,
          code: 'BAD_USER_INPUT',
          message: expect.stringMatching(/text\/event-stream.*WebSocket/),
        });
      // Rejected once each, as subscriptions that have started are not.
      expect(finished).toEqual(['null 1', 'null 1']);
    });
  });
});

describe('an upgrade', () => {
  const HANDSHAKE = {
    connection: 'Upgrade',
    upgrade: 'websocket',
    'sec-websocket-version': '13',
    'sec-websocket-key': 'AAAAAAAAAAAAAAAAAAAAAA==',
    'sec-websocket-protocol': 'graphql-transport-ws',
  };
  const refused: [string, string, Exchange, number, RegExp][] = [
    ['at the root', '/', { headers: HANDSHAKE }, 404, /the API is at \/graphql/],
    ['at another path', '/subscriptions', { headers: HANDSHAKE }, 404, /the API is at \/graphql/],
    ['below the API', '/graphql/ws', { headers: HANDSHAKE }, 404, /the API is at \/graphql/],
    ['to HTTP/2', '/graphql', { headers: { ...HANDSHAKE, upgrade: 'h2c' } }, 400, /without an Upgrade/],
    ['by POST', '/graphql', { method: 'POST', headers: HANDSHAKE }, 400, /without an Upgrade/],
    [
      'without a key',
      '/graphql',
      { headers: { connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-version': '13' } },
      400,
      /graphql-transport-ws/,
    ],
    [
      'of an old version',
      '/graphql',
      { headers: { ...HANDSHAKE, 'sec-websocket-version': '7' } },
      400,
      /graphql-transport-ws/,
    ],
  ];

  test.each(refused)('%s is refused with a coded error', async (_name, path, sent, status, message) => {
    const response = await exchange(new URL(path, parley.url).href, sent);
    expect(refusalOf(response)).toEqual({
      status,
      code: 'BAD_USER_INPUT',
      message: expect.stringMatching(message),
    });
    expect(response.headers.connection).toBe('close');
  });

  test('before the database is available is refused with SERVICE_UNAVAILABLE', async () => {
    const config = readConfig({
      PORT: '0',
      HOST: '127.0.0.1',
      DATABASE_URL: 'postgres://127.0.0.1:1/nowhere',
      JWT_SECRET: 'a secret for tests, longer than 32 bytes',
    });
    const app = await createApp(config, createLog({ logLevel: 'silent' }));
    stopAtEnd(() => app.close());
    const response = await exchange(app.url.replace('localhost', '127.0.0.1'), { headers: HANDSHAKE });
    expect(refusalOf(response)).toMatchObject({ status: 503, code: 'SERVICE_UNAVAILABLE' });
    expect(response.headers['retry-after']).toBe('1');
  });
});

describe('a request', () => {
  test.each(['/', '/nowhere', '/graphql/', '/subscriptions'])('to %s is refused', async (path) => {
    for (const method of ['GET', 'POST', 'DELETE'])
      expect(refusalOf(await exchange(new URL(path, parley.url).href, { method }))).toEqual({
        status: 404,
        code: 'BAD_USER_INPUT',
        message: expect.stringContaining('/graphql'),
      });
  });

  test.each(['[', 'a b', 'host:99999', '%'])('with the Host %s is refused, without a stack', async (host) => {
    const response = await exchange(`${parley.url}?query={__typename}`, { headers: { host } });
    expect(refusalOf(response)).toEqual({
      status: 400,
      code: 'BAD_USER_INPUT',
      message: expect.stringContaining('Host'),
    });
  });

  test.each(['variables={', 'variables=x', 'extensions=[', 'variables="'])(
    'by GET with the parameter %s is refused',
    async (parameter) => {
      const response = await exchange(`${parley.url}?query={__typename}&${parameter}`, {});
      expect(refusalOf(response)).toEqual({
        status: 400,
        code: 'BAD_USER_INPUT',
        message: expect.stringMatching(/`(variables|extensions)` is not valid JSON/),
      });
    },
  );

  test.each(['variables=#{}', 'extensions=#', 'variables={}#x'])(
    'by GET with the parameter %s, which no URL could have, is refused',
    async (parameter) => {
      const { socket, text } = await openRawHttp(parley.url);
      const closed = once(socket, 'close');
      const target = `/graphql?query={__typename}&${parameter}`;
      socket.write(`GET ${target} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`);
      await closed;
      expect(text()).toMatch(/^HTTP\/1\.1 400 /);
      expect(text()).toMatch(/`(variables|extensions)` is not valid JSON.*"code":"BAD_USER_INPUT"/);
    },
  );

  test.each(['PUT', 'DELETE', 'PATCH', 'TRACE'])('by %s is refused', async (method) => {
    expect(refusalOf(await exchange(parley.url, { method }))).toEqual({
      status: 405,
      code: 'BAD_USER_INPUT',
      message: expect.stringContaining('POST'),
    });
  });
});
