import { parse } from 'graphql';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createFakeClient, MESSAGE_ADDED, SEND, VIEWER } from '../../helpers/fake-client.js';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

const VIEWER_DATA = { viewer: { id: 'V' } };
const SENT = { sendMessage: { __typename: 'SendMessagePayload' } };
const repeatable = { input: { roomId: 'R', text: 'Hello', clientMessageId: 'a' } };
const unrepeatable = { input: { roomId: 'R', text: 'Hello' } };
const UNAVAILABLE = { message: 'Try again.', extensions: { code: 'SERVICE_UNAVAILABLE' } };

async function connected(options = {}) {
  const fake = createFakeClient(options);
  const start = async <Value>(operation: Promise<Value>) => {
    const settled = operation.then(
      (value) => ({ value }),
      (error: unknown) => ({ error }),
    );
    await fake.pass();
    if (fake.network.socket.readyState === 0) fake.network.socket.accept();
    await fake.pass();
    return settled;
  };
  const reconnect = async (code = 1006) => {
    fake.network.socket.drop(code);
    await fake.pass(1000);
    fake.network.socket.accept();
    await fake.pass();
  };
  return { ...fake, start, reconnect };
}

test('should resolve with the data', async () => {
  const { client, network, pass } = await connected();
  const query = client.query(VIEWER);
  await pass();
  network.socket.accept();
  await pass();
  network.socket.answer('viewer', 'next', { data: VIEWER_DATA });
  network.socket.answer('viewer', 'complete');

  expect(await query).toEqual(VIEWER_DATA);
  expect(network.socket.sent.map(({ type }) => type)).toEqual(['connection_init', 'subscribe']);
});

test.each([
  [
    'errors beside data',
    'next',
    { data: { viewer: null }, errors: [{ message: 'No.', extensions: { code: 'FORBIDDEN' } }] },
  ],
  ['errors alone', 'error', [{ message: 'No.', extensions: { code: 'FORBIDDEN' } }]],
] as const)('should reject with %s', async (_, type, payload) => {
  const { client, network, pass } = await connected();
  const query = expect(client.query(VIEWER)).rejects.toMatchObject({
    name: 'ParleyError',
    message: 'No.',
    code: 'FORBIDDEN',
    errors: [{ message: 'No.' }],
    ...(type === 'next' && { data: { viewer: null } }),
  });
  await pass();
  network.socket.accept();
  await pass();
  network.socket.answer('viewer', type, payload);

  await query;
});

test.each([
  [
    'a query',
    (client: ReturnType<typeof createFakeClient>['client']) => client.query(VIEWER),
    'viewer',
    VIEWER_DATA,
  ],
  [
    'sendMessage with a clientMessageId',
    (client: ReturnType<typeof createFakeClient>['client']) => client.mutate(SEND, repeatable),
    'sendMessage',
    SENT,
  ],
] as const)('should repeat %s after a cut and after SERVICE_UNAVAILABLE', async (_, run, field, data) => {
  const { client, network, statuses, pass, reconnect } = await connected();
  const result = run(client);
  await pass();
  network.socket.accept();
  await pass();
  await reconnect();
  expect(network.socket.subscribed).toHaveLength(1);
  network.socket.answer(field, 'error', [UNAVAILABLE]);
  await pass();
  expect(statuses.at(-1)).toBe('behind');
  await pass(1000);
  network.socket.answer(field, 'next', { data: null, errors: [UNAVAILABLE] });
  network.socket.answer(field, 'complete');
  await pass(2000);
  expect(network.socket.subscribed).toHaveLength(3);
  network.socket.answer(field, 'next', { data });
  network.socket.answer(field, 'complete');

  expect(await result).toEqual(data);
  expect(statuses.at(-1)).toBe('live');
});

test('should not repeat another mutation that was sent, and say so at once', async () => {
  const { client, network, pass, reconnect } = await connected();
  const result = expect(client.mutate(SEND, unrepeatable)).rejects.toMatchObject({
    code: 'OUTCOME_UNKNOWN',
    message: expect.stringContaining('unknown'),
  });
  await pass();
  network.socket.accept();
  await pass();
  network.socket.drop(1006);
  await result;

  await reconnect().catch(() => {});
  await pass(60_000);
  expect(network.sockets.flatMap(({ subscribed }) => subscribed)).toHaveLength(1);
});

test('should send another mutation once the connection is there, if it had not been sent', async () => {
  const { client, network, pass } = await connected();
  const result = client.mutate(SEND, unrepeatable);
  await pass();
  network.socket.drop(1006);
  await pass(1000);
  network.socket.accept();
  await pass();
  network.socket.answer('sendMessage', 'next', { data: SENT });

  expect(await result).toEqual(SENT);
});

test('should leave SERVICE_UNAVAILABLE of another mutation to the app', async () => {
  const { client, network, pass } = await connected();
  const result = expect(client.mutate(SEND, unrepeatable)).rejects.toMatchObject({
    code: 'SERVICE_UNAVAILABLE',
  });
  await pass();
  network.socket.accept();
  await pass();
  network.socket.answer('sendMessage', 'error', [UNAVAILABLE]);

  await result;
});

test('should send nothing again that has its result, though the cut came before its end', async () => {
  const { client, network, pass, reconnect } = await connected();
  const results = Promise.all([client.query(VIEWER), client.mutate(SEND, unrepeatable)]);
  client.subscribe(MESSAGE_ADDED, { roomId: 'R', after: 'c0' }, { next() {}, error() {} });
  await pass();
  network.socket.accept();
  await pass();
  network.socket.answer('viewer', 'next', { data: VIEWER_DATA });
  network.socket.answer('sendMessage', 'next', { data: SENT });
  expect(await results).toEqual([VIEWER_DATA, SENT]);

  await reconnect();
  expect(network.socket.subscribed.map(({ payload }) => payload?.query)).toEqual([
    expect.stringContaining('messageAdded'),
  ]);
});

test('should stop waiting when its signal aborts', async () => {
  const { client, network, pass } = await connected();
  const controller = new AbortController();
  const reason = new Error('no longer needed');
  const query = expect(client.query(VIEWER, {}, { signal: controller.signal })).rejects.toBe(reason);
  await pass();
  network.socket.accept();
  await pass();

  controller.abort(reason);
  await query;
  await expect(client.query(VIEWER, {}, { signal: controller.signal })).rejects.toBe(reason);
  expect(network.socket.sent.at(-1)?.type).toBe('complete');
});

test('should refuse a subscription as a query, and several operations', async () => {
  const { client } = await connected();

  await expect(client.query(parse('subscription { a }'))).rejects.toThrow('subscribe');
  await expect(client.query(parse('query A { a } query B { b }'))).rejects.toThrow('one operation');
});

test('should hand raw results to links, errors included', async () => {
  const { client, network, pass } = await connected();
  const results: unknown[] = [];
  const errors: unknown[] = [];
  const observer = {
    next: (result: object) => results.push(result),
    error: (error: unknown) => errors.push(error),
    complete: () => results.push('complete'),
  };
  client.execute(VIEWER, {}, observer);
  client.execute(SEND, unrepeatable, observer);
  await pass();
  network.socket.accept();
  await pass();
  network.socket.answer('viewer', 'next', { data: { viewer: null }, errors: [{ message: 'No.' }] });
  network.socket.answer('viewer', 'complete');
  await pass();
  network.socket.answer('sendMessage', 'error', [{ message: 'Bad.' }]);

  expect(results).toEqual([
    { data: { viewer: null }, errors: [{ message: 'No.' }] },
    'complete',
    expect.objectContaining({ errors: [{ message: 'Bad.' }] }),
    'complete',
  ]);
  client.execute(SEND, unrepeatable, observer);
  await pass();
  network.socket.drop(1006);
  expect(errors).toEqual([expect.objectContaining({ code: 'OUTCOME_UNKNOWN' })]);
});
