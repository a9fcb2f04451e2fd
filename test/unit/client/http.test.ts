import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { http } from '../../../packages/client/src/http.js';
import { createFakeClient, SEND, VIEWER } from '../../helpers/fake-client.js';

const fetch = vi.fn<(url: string, init: RequestInit) => Promise<Response>>();

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal('fetch', fetch);
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
  fetch.mockReset();
});

const VIEWER_DATA = { viewer: { id: 'V' } };
const repeatable = { input: { roomId: 'R', text: 'Hello', clientMessageId: 'a' } };
const unrepeatable = { input: { roomId: 'R', text: 'Hello' } };
const error = (code: string, reason?: string) => ({ message: 'No.', extensions: { code, reason } });
const answer = (body: object | string, status = 200) =>
  new Response(typeof body === 'string' ? body : JSON.stringify(body), { status });

test('should send a query by POST, with the token, and open no socket', async () => {
  fetch.mockImplementation(async () => answer({ data: VIEWER_DATA }));
  const { client, network } = createFakeClient({ url: 'wss://chat.example/graphql', requests: http });

  expect(await client.query(VIEWER)).toEqual(VIEWER_DATA);

  const [url, init] = fetch.mock.calls[0] ?? [];
  expect(url).toBe('https://chat.example/graphql');
  expect(init).toMatchObject({
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: 'Bearer a-token' },
  });
  expect(JSON.parse(String(init?.body))).toMatchObject({
    query: expect.stringContaining('viewer'),
    variables: {},
  });
  expect(network.sockets).toHaveLength(0);
  expect(vi.getTimerCount()).toBe(0);
});

test.each([
  ['a network that fails', () => Promise.reject(new TypeError('fetch failed'))],
  ['an answer of a gateway', async () => answer('<h1>Bad gateway</h1>', 502)],
  ['SERVICE_UNAVAILABLE', async () => answer({ errors: [error('SERVICE_UNAVAILABLE')] }, 503)],
])('should repeat queries and repeatable mutations after %s', async (_, failure) => {
  fetch.mockImplementationOnce(failure).mockImplementationOnce(failure);
  fetch.mockImplementation(async () => answer({ data: VIEWER_DATA }));
  const { client, pass } = createFakeClient({ requests: http });
  const results = Promise.all([client.query(VIEWER), client.mutate(SEND, repeatable)]);
  await pass(1000);

  expect(await results).toEqual([VIEWER_DATA, VIEWER_DATA]);
  expect(fetch).toHaveBeenCalledTimes(4);
});

test('should repeat a query that gets no answer within 15 s', async () => {
  fetch.mockImplementationOnce(
    (_, { signal }) =>
      new Promise((_, reject) => {
        signal?.addEventListener('abort', () => reject(signal.reason));
      }),
  );
  fetch.mockImplementation(async () => answer({ data: VIEWER_DATA }));
  const { client, pass } = createFakeClient({ requests: http });
  const query = client.query(VIEWER);
  await pass(15_000);
  await pass(1000);

  expect(await query).toEqual(VIEWER_DATA);
});

test.each([
  ['a network that fails', () => Promise.reject(new TypeError('fetch failed'))],
  ['an answer of a gateway', async () => answer('<h1>Bad gateway</h1>', 502)],
])('should not repeat another mutation after %s', async (_, failure) => {
  fetch.mockImplementation(failure);
  const { client } = createFakeClient({ requests: http });

  await expect(client.mutate(SEND, unrepeatable)).rejects.toMatchObject({ code: 'OUTCOME_UNKNOWN' });
  expect(fetch).toHaveBeenCalledTimes(1);
});

test('should fail at once where a retry makes no sense', async () => {
  fetch.mockImplementation(async () => answer('Not found', 404));
  const { client } = createFakeClient({ requests: http });

  await expect(client.query(VIEWER)).rejects.toMatchObject({
    code: 'BAD_USER_INPUT',
    message: 'The server answered 404 without a GraphQL result.',
  });
});

test('should reject with the errors of a result', async () => {
  fetch.mockImplementation(async () => answer({ data: { viewer: null }, errors: [error('FORBIDDEN')] }));
  const { client } = createFakeClient({ requests: http });

  await expect(client.query(VIEWER)).rejects.toMatchObject({ code: 'FORBIDDEN', data: { viewer: null } });
});

test('should ask for a new token once if the old one has expired', async () => {
  const expired: boolean[] = [];
  fetch.mockImplementation(async () => answer({ data: null, errors: [error('UNAUTHENTICATED', 'EXPIRED')] }));
  const { client } = createFakeClient({
    requests: http,
    token: (request) => {
      expired.push(request.expired);
      return `token-${expired.length}`;
    },
  });

  await expect(client.mutate(SEND, unrepeatable)).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
  expect(expired).toEqual([false, true]);
  expect(fetch.mock.calls.map(([, { headers }]) => new Headers(headers).get('authorization'))).toEqual([
    'Bearer token-1',
    'Bearer token-2',
  ]);
});

test('should stop when its signal aborts, also between two attempts', async () => {
  fetch.mockImplementation(() => Promise.reject(new TypeError('fetch failed')));
  const { client, pass } = createFakeClient({ requests: http });
  const controller = new AbortController();
  const reason = new Error('no longer needed');
  const query = expect(client.query(VIEWER, {}, { signal: controller.signal })).rejects.toBe(reason);
  await pass();
  controller.abort(reason);
  await query;
  await pass(60_000);

  expect(fetch).toHaveBeenCalledTimes(1);
  expect(vi.getTimerCount()).toBe(0);
});

test('should end with the client', async () => {
  fetch.mockImplementation(() => new Promise(() => {}));
  const { client, pass } = createFakeClient({ requests: http });
  const query = expect(client.query(VIEWER)).rejects.toMatchObject({ code: 'DISPOSED' });
  await pass();
  client.dispose();
  await query;

  expect(fetch.mock.calls[0]?.[1].signal?.aborted).toBe(true);
  expect(vi.getTimerCount()).toBe(0);
});
