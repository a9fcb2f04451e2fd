import { randomBytes } from 'node:crypto';
import { beforeAll, describe, expect, test } from 'vitest';
import { createApp } from '../../src/app.js';
import { readConfig } from '../../src/config/index.js';
import { createLog } from '../../src/log.js';
import { type Exchange, errorsOf, exchange, type HttpResponse } from '../helpers/exchange.js';
import { startParley, type TestParley } from '../helpers/parley.js';
import { stopAtEnd } from '../helpers/stopping.js';

const LISTED = 'https://app.example.com';
const LOCALHOST = 'http://localhost:5173';
const FOREIGN = 'https://foreign.example.com';
const PRODUCTION = { NODE_ENV: 'production', DATABASE_URL: 'postgres://127.0.0.1:1/nowhere' };

const QUERY = '{"query":"{ __typename }"}';
const JSON_POST = { method: 'POST', headers: { 'content-type': 'application/json' }, body: QUERY };

let parley: TestParley;
let anyOrigin: TestParley;
let notReady: string;

beforeAll(async () => {
  parley = await startParley({ env: { ALLOWED_ORIGINS: LISTED } });
  anyOrigin = await startParley({ env: { ALLOWED_ORIGINS: '*' } });
  const config = readConfig({
    PORT: '0',
    HOST: '127.0.0.1',
    JWT_SECRET: 'a secret for tests, longer than 32 bytes',
    ALLOWED_ORIGINS: LISTED,
    ...PRODUCTION,
  });
  const app = await createApp(config, createLog({ logLevel: 'silent' }));
  stopAtEnd(() => app.close());
  notReady = app.url.replace('localhost', '127.0.0.1');
});

function from(origin: string, sent: Exchange, url = parley.url): Promise<HttpResponse> {
  return exchange(url, { ...sent, headers: { ...sent.headers, origin } });
}

function preflight(origin: string, requested: string | undefined, url = parley.url): Promise<HttpResponse> {
  const headers = {
    'access-control-request-method': 'POST',
    ...(requested === undefined ? {} : { 'access-control-request-headers': requested }),
  };
  return from(origin, { method: 'OPTIONS', headers }, url);
}

const corsOf = ({ headers }: HttpResponse) =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => name.startsWith('access-control-')));

/** A page can tell when to try again, and which request to report. */
const EXPOSED = { 'access-control-expose-headers': 'Retry-After, X-Request-Id' };

describe('a preflight', () => {
  test.each([
    'content-type',
    'authorization,content-type',
    'baggage, sentry-trace, traceparent, tracestate',
    'apollo-require-preflight',
    'x-request-id',
    'X-Anything-1,accept',
    undefined,
  ])('from an allowed origin may ask for the headers %s', async (requested) => {
    for (const origin of [LISTED, LOCALHOST]) {
      const response = await preflight(origin, requested);
      expect(response.status).toBe(204);
      expect(corsOf(response)).toEqual({
        'access-control-allow-origin': origin,
        ...EXPOSED,
        'access-control-allow-credentials': 'true',
        'access-control-allow-methods': 'GET, POST',
        ...(requested === undefined ? {} : { 'access-control-allow-headers': requested }),
        'access-control-max-age': '600',
      });
    }
  });

  test('passes before the database is available', async () => {
    const response = await preflight(LISTED, 'authorization', notReady);
    expect(response.status).toBe(204);
    expect(corsOf(response)).toMatchObject({
      'access-control-allow-origin': LISTED,
      'access-control-allow-headers': 'authorization',
    });
  });

  test('from any origin passes with ALLOWED_ORIGINS=*, but never allows credentials', async () => {
    for (const origin of [FOREIGN, LISTED, LOCALHOST]) {
      const response = await preflight(origin, 'authorization', anyOrigin.url);
      expect(corsOf(response)).toMatchObject({
        'access-control-allow-origin': origin,
        'access-control-allow-headers': 'authorization',
      });
      expect(corsOf(response)).not.toHaveProperty('access-control-allow-credentials');
      expect(corsOf(await from(origin, JSON_POST, anyOrigin.url))).toEqual({
        'access-control-allow-origin': origin,
        ...EXPOSED,
      });
    }
  });
});

/** One request per kind of response, with its status. */
const RESPONSES: Record<string, { status: number; sent: Exchange; path?: string; unready?: boolean }> = {
  'a result': { status: 200, sent: JSON_POST },
  'a result by GET': { status: 200, sent: {}, path: '/graphql?query={__typename}' },
  'an event stream': {
    status: 200,
    sent: { headers: { accept: 'text/event-stream' } },
    path: '/graphql?query={__typename}',
  },
  'a GraphQL error': { status: 200, sent: { ...JSON_POST, body: '{"query":"{ nowhere }"}' } },
  'a malformed request': { status: 400, sent: { ...JSON_POST, body: '{' } },
  'an invalid token': {
    status: 200,
    sent: {
      ...JSON_POST,
      headers: { ...JSON_POST.headers, authorization: 'Bearer x' },
      body: '{"query":"{ rooms { nodes { id } } }"}',
    },
  },
  'an unknown path': { status: 404, sent: JSON_POST, path: '/nowhere' },
  'an unsupported method': { status: 405, sent: { method: 'PUT' } },
  'an unacceptable type': { status: 406, sent: { ...JSON_POST, headers: { accept: 'image/png' } } },
  'a body that is too large': {
    status: 413,
    sent: { ...JSON_POST, body: JSON.stringify({ query: 'x'.repeat(70_000) }) },
  },
  'an unsupported content type': { status: 415, sent: { ...JSON_POST, headers: {} } },
  'a server that is not ready': { status: 503, sent: JSON_POST, unready: true },
  'a probe': { status: 200, sent: {}, path: '/health' },
  'a readiness probe': { status: 200, sent: {}, path: '/ready' },
  'a failing readiness probe': { status: 503, sent: {}, path: '/ready', unready: true },
  'the page of GraphiQL': { status: 200, sent: { headers: { accept: 'text/html' } } },
  'an unknown asset of GraphiQL': { status: 404, sent: {}, path: '/graphiql/1/nothing.js' },
};

describe.each(Object.keys(RESPONSES))('the response of %s', (name) => {
  const { status, sent, path = '/graphql', unready = false } = RESPONSES[name] ?? { status: 0, sent: {} };
  const send = (origin: string) => from(origin, sent, new URL(path, unready ? notReady : parley.url).href);

  test('can be read by pages of an allowed origin, also with credentials', async () => {
    const response = await send(LISTED);
    expect(response.status).toBe(status);
    expect(response.headers.vary).toMatch(/\borigin\b/i);
    expect(corsOf(response)).toEqual({
      'access-control-allow-origin': LISTED,
      ...EXPOSED,
      'access-control-allow-credentials': 'true',
    });
  });

  test('cannot be read by pages of other origins', async () => {
    const response = await send(FOREIGN);
    expect(response.headers.vary).toMatch(/\borigin\b/i);
    expect(corsOf(response)).toEqual({});
  });

  test('varies by origin, also without one', async () => {
    const { headers } = await exchange(new URL(path, unready ? notReady : parley.url).href, sent);
    expect(headers.vary).toMatch(/\borigin\b/i);
  });
});

test('pages of the same host may use the API, without credentials of other sites', async () => {
  const response = await from(new URL(parley.url).origin, JSON_POST);
  expect(response.status).toBe(200);
  // The server's own host is a host of this machine, so `localhost` applies outside of production.
  expect(corsOf(response)).toMatchObject({ 'access-control-allow-origin': new URL(parley.url).origin });
  const behindTls = await exchange(notReady, {
    ...JSON_POST,
    headers: { ...JSON_POST.headers, host: 'chat.example.com', origin: 'https://chat.example.com' },
  });
  expect(corsOf(behindTls)).toEqual({
    'access-control-allow-origin': 'https://chat.example.com',
    ...EXPOSED,
  });
});

describe('a refused origin', () => {
  const UPGRADE = {
    connection: 'Upgrade',
    upgrade: 'websocket',
    'sec-websocket-version': '13',
    'sec-websocket-key': 'AAAAAAAAAAAAAAAAAAAAAA==',
    'sec-websocket-protocol': 'graphql-transport-ws',
  };
  const refused: Record<string, Exchange> = {
    'a preflight': { method: 'OPTIONS', headers: { 'access-control-request-method': 'POST' } },
    'a POST request': JSON_POST,
    'a GET request': {},
    'a form': { method: 'POST', headers: { 'content-type': 'text/plain' }, body: QUERY },
    'a WebSocket': { headers: UPGRADE },
  };

  test.each(Object.keys(refused))('gets a body that names ALLOWED_ORIGINS for %s', async (name) => {
    for (const url of [parley.url, notReady])
      for (const origin of [FOREIGN, 'null', 'not an origin', `${LISTED}.evil.example`]) {
        const { status, text, headers } = await from(origin, refused[name] ?? {}, url);
        expect(status).toBe(403);
        expect(headers['content-type']).toBe('application/json; charset=utf-8');
        expect(errorsOf(text)).toEqual([
          { message: expect.stringContaining('ALLOWED_ORIGINS'), extensions: { code: 'FORBIDDEN' } },
        ]);
      }
  });

  const warningsOf = ({ log }: TestParley, part: string) =>
    log.filter((line) => line.includes('"level":40') && line.includes(part));

  test('is logged as one warning, whatever the number and the kind of its requests', async () => {
    const origins = ['https://one.example.com', 'https://two.example.com'];
    for (let round = 0; round < 3; round += 1)
      for (const origin of origins)
        for (const sent of Object.values(refused)) expect((await from(origin, sent)).status).toBe(403);

    for (const origin of origins) {
      const [line, ...more] = warningsOf(parley, origin);
      expect(more).toEqual([]);
      expect(line).toContain('ALLOWED_ORIGINS');
    }
  });

  test('is not remembered beyond a bound, so that a client cannot fill the memory or the log', async () => {
    const crowded = await startParley();
    const run = randomBytes(4).toString('hex');
    const count = 1100;
    for (let first = 0; first < count; first += 50)
      await Promise.all(
        Array.from({ length: 50 }, (_, index) =>
          from(`https://${first + index}.${run}.example`, {}, crowded.url),
        ),
      );
    expect(warningsOf(crowded, `.${run}.example`)).toHaveLength(1000);
    expect(warningsOf(crowded, 'Too many refused origins')).toHaveLength(1);

    const long = await startParley();
    expect((await from(`https://${'x'.repeat(10_000)}.example`, {}, long.url)).status).toBe(403);
    expect(warningsOf(long, 'xxx').map(({ length }) => length < 1000)).toEqual([true]);
  });

  test('of a page that its browser considers same-origin is allowed: a proxy has replaced Host', async () => {
    const headers = { ...JSON_POST.headers, 'sec-fetch-site': 'same-origin' };
    expect((await from(FOREIGN, { ...JSON_POST, headers })).status).toBe(200);
    const crossSite = { ...JSON_POST.headers, 'sec-fetch-site': 'cross-site' };
    expect((await from(FOREIGN, { ...JSON_POST, headers: crossSite })).status).toBe(403);
  });
});
