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

test('a stop closes sockets and event streams spread over time, none told that it is complete; the rest works on', async () => {
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
    // Three connections at once, which wait for their next requests from then on.
    ...[1, 2, 3].map(() => get('/ready', agent)),
  ]);

  const start = performance.now();
  const since = () => performance.now() - start;
  const stopped = parley.stop().then(since);
  const closings = sockets.map(({ closed }) => closed.then(({ code }) => ({ code, at: since() })));
  const endings = streams.map(({ ended }) => ended.then((complete) => ({ complete, at: since() })));
  // The first has gone, others are still there.
  await Promise.race(closings);
  expect(await get('/ready', agent)).toEqual({ status: 503, state: 'stopping' });
  expect((await get('/graphql', agent, UPGRADE)).status).toBe(503);
  expect(await get('/graphql?query=%7B__typename%7D', agent)).toMatchObject({ status: 200 });
  await expect(openRawSocket(parley.webSocketUrl)).rejects.toThrow('ECONNREFUSED');
  // Whichever are left answer as before.
  for (const socket of sockets) socket.subscribe('2', {}, '{ __typename }');
  await Promise.any(sockets.map((socket) => socket.received('next', '2')));

  const closed = await Promise.all(closings);
  expect(closed.map(({ code }) => code)).toEqual(Array(5).fill(1012));
  const ended = await Promise.all(endings);
  expect(ended.map(({ complete }) => complete)).toEqual([false, false, false]);
  for (const times of [closed, ended].map((all) => all.map(({ at }) => at).sort((a, b) => a - b))) {
    // Evenly: of n the last one goes after (n - 1) / n of the time.
    expect(times.at(-1)).toBeGreaterThan(DRAIN_MS / 2);
    expect(times.at(1)).toBeGreaterThan(DRAIN_MS / 10);
    expect(times.at(0)).toBeLessThan(DRAIN_MS / 2);
  }
  expect(await stopped).toBeLessThan(2 * DRAIN_MS);
  for (const { frames } of sockets)
    expect(frames.filter((frame) => frame.type === 'complete' && frame.id === '1')).toEqual([]);
  for (const { events } of streams) expect(events.map(({ event }) => event)).toEqual(['next']);

  function get(path: string, by: Agent, headers: Record<string, string> = {}) {
    return ask(new URL(path, parley.url), by, headers);
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
    // Of five the last one goes after four fifths of the time.
    expect(last).toBeGreaterThanOrEqual(seconds * 700);
    expect(last).toBeLessThan(seconds * 800 + 700);
  }
});

test('a stop waits for nobody: not without clients, and no longer than they stay', async () => {
  const lonely = await startParley({ env: { DRAIN_SECONDS: '600' } });
  await lonely.stop();

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

test('what a socket has asked is answered before it is closed', async () => {
  const parley = await startParley();
  const socket = await openRawSocket(parley.webSocketUrl);
  socket.send({ type: 'connection_init' });
  await socket.received('connection_ack');
  // Takes a while, for its password.
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

test('subscriptions that still start are not told that they are complete, and are not waited for', async () => {
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
    const answer = openEventStream(parley.url, alice, { roomId }).then(
      ({ ended }) => ended,
      () => false,
    );
    // At least the one that reads the head of the room for both.
    await expect.poll(waiting).toBeGreaterThan(0);

    const stopped = parley.stop();
    expect((await socket.closed).code).toBe(1012);
    expect(performance.now() - start).toBeLessThan(5000);
    expect(await answer).toBe(false);
    await stopped;
  });
  await admin.end();
  // An answer may take 5 s, and so may the last queries.
  expect(performance.now() - start).toBeLessThan(15_000);
  expect(socket.frames.map(({ type }) => type)).toEqual(['connection_ack']);
}, 30_000);

interface Answer {
  readonly status: number | undefined;
  readonly state: unknown;
}

/** By Node's own client, whose agent keeps connections for the next request. */
async function ask(url: URL, agent: Agent, headers: Record<string, string>): Promise<Answer> {
  const asked = httpRequest(url, { agent, headers });
  asked.end();
  const [response] = (await once(asked, 'response')) as [IncomingMessage];
  let text = '';
  for await (const chunk of response) text += chunk;
  const body = text === '' ? {} : JSON.parse(text);
  // The agent takes the connection back one step later.
  await sleep(0);
  return { status: response.statusCode, state: body.status };
}
