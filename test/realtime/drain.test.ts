import { once } from 'node:events';
import { Agent, request as httpRequest, type IncomingMessage } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import postgres from 'postgres';
import { expect, test } from 'vitest';
import { createRoom, page, send, signUp } from '../helpers/client.js';
import { openEventStream } from '../helpers/event-stream.js';
import { startParley } from '../helpers/parley.js';
import { openRawSocket, openSocketOf } from '../helpers/raw-socket.js';

const DRAIN_MS = 3000;
const UPGRADE = {
  connection: 'upgrade',
  upgrade: 'websocket',
  'sec-websocket-version': '13',
  'sec-websocket-key': Buffer.alloc(16).toString('base64'),
  'sec-websocket-protocol': 'graphql-transport-ws',
};

test('a stop closes sockets and event streams evenly over the drain time, without complete, and serves the rest while draining', async () => {
  const parley = await startParley({ env: { DRAIN_SECONDS: String(DRAIN_MS / 1000) } });
  const alice = await signUp(parley.url);
  const roomId = await createRoom(alice);
  const { liveCursor: after } = await page(alice, roomId);
  const sockets = await Promise.all(
    Array.from({ length: 5 }, () => openSocketOf(alice, parley.webSocketUrl)),
  );
  const streams = await Promise.all(
    Array.from({ length: 3 }, () => openEventStream(parley.url, alice, { roomId, after })),
  );
  for (const socket of sockets) socket.subscribe('1', { roomId, after });
  const agent = new Agent({ keepAlive: true });
  await send(alice, roomId, 'before');
  await Promise.all([
    ...sockets.map((socket) => socket.received('next', '1')),
    ...streams.map((stream) => stream.received(1)),
    // Opens three connections, which are idle afterwards.
    ...[1, 2, 3].map(() => get('/ready', agent)),
  ]);

  const start = performance.now();
  const since = () => performance.now() - start;
  const stopped = parley.stop().then(since);
  const closings = sockets.map(({ closed }) => closed.then(({ code }) => ({ code, at: since() })));
  const endings = streams.map(({ ended }) => ended.then((complete) => ({ complete, at: since() })));
  // One socket is closed, others are still open.
  await Promise.race(closings);
  expect(await get('/ready', agent)).toEqual({ status: 503, state: 'stopping' });
  expect((await get('/graphql', agent, UPGRADE)).status).toBe(503);
  expect(await get('/graphql?query=%7B__typename%7D', agent)).toMatchObject({ status: 200 });
  await expect(openRawSocket(parley.webSocketUrl)).rejects.toThrow('ECONNREFUSED');
  // The remaining sockets still execute operations.
  for (const socket of sockets) socket.subscribe('2', {}, '{ __typename }');
  await Promise.any(sockets.map((socket) => socket.received('next', '2')));

  const closed = await Promise.all(closings);
  expect(closed.map(({ code }) => code)).toEqual(Array(5).fill(1012));
  const ended = await Promise.all(endings);
  expect(ended.map(({ complete }) => complete)).toEqual([false, false, false]);
  for (const times of [closed, ended].map((all) => all.map(({ at }) => at).sort((a, b) => a - b))) {
    // If n are closed evenly, the last one is closed after (n - 1) / n of the time.
    expect(times.at(-1)).toBeGreaterThan(DRAIN_MS / 2);
    expect(times.at(1)).toBeGreaterThan(DRAIN_MS / 10);
    expect(times.at(0)).toBeLessThan(DRAIN_MS / 2);
  }
  expect(await stopped).toBeLessThan(2 * DRAIN_MS);
  for (const { frames } of sockets)
    expect(frames.filter((frame) => frame.type === 'complete' && frame.id === '1')).toEqual([]);
  for (const { events } of streams) expect(events.map(({ event }) => event)).toEqual(['next']);

  function get(path: string, by: Agent, headers: Record<string, string> = {}) {
    return fetchWith(new URL(path, parley.url), by, headers);
  }
});

test.each([0, 1, 2])('a stop closes sockets and event streams over DRAIN_SECONDS=%i', async (seconds) => {
  const parley = await startParley({ env: { DRAIN_SECONDS: String(seconds) } });
  const alice = await signUp(parley.url);
  const roomId = await createRoom(alice);
  const five = [1, 2, 3, 4, 5];
  const sockets = await Promise.all(five.map(() => openSocketOf(alice, parley.webSocketUrl)));
  const streams = await Promise.all(five.map(() => openEventStream(parley.url, alice, { roomId })));

  const start = performance.now();
  const untilLast = async (all: Promise<unknown>[]) => {
    await Promise.all(all);
    return performance.now() - start;
  };
  const lasts = [
    untilLast(sockets.map(({ closed }) => closed)),
    untilLast(streams.map(({ ended }) => ended)),
  ];
  await parley.stop();

  for (const last of await Promise.all(lasts)) {
    // The last of five is closed after four fifths of the time.
    expect(last).toBeGreaterThanOrEqual(seconds * 700);
    expect(last).toBeLessThan(seconds * 800 + 700);
  }
});

test('a stop takes no longer than the last client stays', async () => {
  const idle = await startParley({ env: { DRAIN_SECONDS: '600' } });
  await idle.stop();

  const parley = await startParley({ env: { DRAIN_SECONDS: '600' } });
  const alice = await signUp(parley.url);
  const sockets = [
    await openSocketOf(alice, parley.webSocketUrl),
    await openSocketOf(alice, parley.webSocketUrl),
  ];
  const stopped = parley.stop();
  await Promise.race(sockets.map(({ closed }) => closed));
  for (const socket of sockets) socket.destroy();
  await stopped;
});

test('a stop closes a socket only after the results of its pending operations', async () => {
  const parley = await startParley();
  const socket = await openRawSocket(parley.webSocketUrl);
  socket.send({ type: 'connection_init' });
  await socket.received('connection_ack');
  // Takes a while, because the password is hashed.
  socket.subscribe(
    '1',
    { input: { username: `user-${Date.now()}`, password: 'correct horse battery' } },
    'mutation ($input: SignUpInput!) { signUp(input: $input) { __typename } }',
  );
  socket.send({ type: 'ping' });
  await socket.received('pong');
  expect(socket.frames.map(({ type }) => type)).not.toContain('next');

  await parley.stop();

  expect(await socket.received('next', '1')).toMatchObject([
    { payload: { data: { signUp: { __typename: 'AuthPayload' } } } },
  ]);
  expect((await socket.closed).code).toBe(1012);
});

test('a stop sends no complete to subscriptions that are still starting, and does not wait for them', async () => {
  const parley = await startParley();
  const alice = await signUp(parley.url);
  const roomId = await createRoom(alice);
  const socket = await openSocketOf(alice, parley.webSocketUrl);
  const admin = postgres(parley.database.url, { max: 2, onnotice: () => {} });
  const waiting = async () => {
    const [row] = await admin`select count(*)::int as count from pg_locks
      where not granted and database = (select oid from pg_database where datname = current_database())`;
    return row?.count;
  };
  const start = performance.now();
  await admin.begin(async (transaction) => {
    await transaction`lock table rooms, messages, members in access exclusive mode`;
    socket.subscribe('1', { roomId });
    const completed = openEventStream(parley.url, alice, { roomId }).then(
      ({ ended }) => ended,
      () => false,
    );
    // At least the query of the room's head, which both subscriptions share, waits for the lock.
    await expect.poll(waiting).toBeGreaterThan(0);

    const stopped = parley.stop();
    expect((await socket.closed).code).toBe(1012);
    expect(performance.now() - start).toBeLessThan(5000);
    expect(await completed).toBe(false);
    await stopped;
  });
  await admin.end();
  // The pending response may take 5 s, and so may the last queries.
  expect(performance.now() - start).toBeLessThan(15_000);
  expect(socket.frames.map(({ type }) => type)).toEqual(['connection_ack']);
}, 30_000);

interface HttpResult {
  readonly status: number | undefined;
  readonly state: unknown;
}

/** Uses Node's own HTTP client, whose agent keeps connections for the next request. */
async function fetchWith(url: URL, agent: Agent, headers: Record<string, string>): Promise<HttpResult> {
  const clientRequest = httpRequest(url, { agent, headers });
  clientRequest.end();
  const [response] = (await once(clientRequest, 'response')) as [IncomingMessage];
  let text = '';
  for await (const chunk of response) text += chunk;
  const body = text === '' ? {} : JSON.parse(text);
  // The agent reuses the connection only from the next turn on.
  await sleep(0);
  return { status: response.statusCode, state: body.status };
}
