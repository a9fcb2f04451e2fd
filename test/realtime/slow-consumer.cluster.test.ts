import { once } from 'node:events';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { beforeAll, expect, test, vi } from 'vitest';
import {
  connect,
  createRoom,
  type Edge,
  MESSAGE_ADDED,
  type Person,
  page,
  send,
  signUp,
  subscribe,
} from '../helpers/client.js';
import { openEventStream, parseEvents } from '../helpers/event-stream.js';
import { startParley, type TestParley } from '../helpers/parley.js';
import { openSocketOf, type RawSocket } from '../helpers/raw-socket.js';

/**
 * Messages of 16 KB each, so that together they exceed the kernel's buffers of a connection (4 MB) by a few MB. Not more:
 * a client that misses two pings before its buffers are full would be disconnected for that.
 */
const COUNT = 450;
const LONG = '😀'.repeat(3990);
const STALL_TIMEOUT_MS = 1000;
const TIMEOUTS = { timeout: 15_000 };

let parley: TestParley;
let alice: Person;

beforeAll(async () => {
  parley = await startParley({ overrides: { stallTimeoutMs: STALL_TIMEOUT_MS } });
  alice = await signUp(parley.url);
});

test('a socket that reads nothing is closed without affecting others, and a new one resumes from its cursor', async () => {
  const roomId = await createRoom(alice);
  const { liveCursor: after } = await page(alice, roomId);
  const blocked = await openSocketOf(alice, parley.webSocketUrl);
  blocked.subscribe('1', { roomId, after });
  await send(alice, roomId, 'first');
  await blocked.received('next', '1');
  blocked.pause();
  const reader = subscribe(connect(parley.webSocketUrl, { token: alice.token }), roomId, after);

  await sendMany(roomId);

  expect(seqsOf(await reader.received(COUNT + 1))).toEqual(denseFrom(1, COUNT + 1));
  await expect.poll(() => logged('WebSocket whose client reads nothing'), TIMEOUTS).toBe(1);
  blocked.resume();
  expect([1006, 1013]).toContain((await blocked.closed).code);
  expect(new Set(blocked.frames.map(({ type }) => type))).toEqual(new Set(['connection_ack', 'next']));
  const seen = edgesOf(blocked);
  expect(seen.length).toBeLessThan(COUNT);
  const again = await openSocketOf(alice, parley.webSocketUrl);
  again.subscribe('1', { roomId, after: seen.at(-1)?.cursor });
  await again.received('next', '1', COUNT + 1 - seen.length);
  expect([...seen, ...edgesOf(again)]).toEqual(reader.edges);
  again.destroy();
  reader.unsubscribe();
}, 60_000);

test('an event stream that is not read is disconnected without complete, and a new one resumes from its cursor', async () => {
  const roomId = await createRoom(alice);
  const { liveCursor: after } = await page(alice, roomId);
  const started = vi.spyOn(globalThis, 'setInterval');
  const cleared = vi.spyOn(globalThis, 'clearInterval');
  const blocked = await unreadEventStream(roomId, after);
  const reader = await openEventStream(parley.url, alice, { roomId, after });

  await sendMany(roomId);

  const all = (await reader.received(COUNT)).flatMap(({ result }) => result?.data?.messageAdded ?? []);
  expect(seqsOf(all)).toEqual(denseFrom(1, COUNT));
  await expect.poll(() => logged('HTTP client that reads nothing'), TIMEOUTS).toBe(1);
  let text = '';
  blocked.setEncoding('utf8').on('data', (chunk) => {
    text += chunk;
  });
  await new Promise((resolve) => blocked.once('close', resolve));
  expect(blocked.complete).toBe(false);
  // The last event may be incomplete, and is ignored.
  const events = parseEvents(text.slice(0, text.lastIndexOf('\n\n') + 2));
  expect(events.every(({ event }) => event === 'next')).toBe(true);
  const seen = events.flatMap(({ result }) => result?.data?.messageAdded ?? []);
  expect(seen.length).toBeLessThan(COUNT);
  const again = await openEventStream(parley.url, alice, { roomId, after: seen.at(-1)?.cursor ?? after });
  const rest = (await again.received(COUNT - seen.length)).flatMap(
    ({ result }) => result?.data?.messageAdded ?? [],
  );
  expect([...seen, ...rest]).toEqual(all);
  again.abort();
  reader.abort();
  // Yoga pings each stream with a timer (every 300 ms in tests), which would keep the stream in memory.
  const pings = started.mock.results.filter((_, index) => started.mock.calls[index]?.[1] === 300);
  expect(pings.length).toBe(3);
  await expect
    .poll(
      () => pings.filter(({ value }) => !cleared.mock.calls.some(([timer]) => timer === value)).length,
      TIMEOUTS,
    )
    .toBe(0);
}, 60_000);

test('a client that reads from time to time receives everything late', async () => {
  const roomId = await createRoom(alice);
  const { liveCursor: after } = await page(alice, roomId);
  const slow = await openSocketOf(alice, parley.webSocketUrl);
  slow.subscribe('1', { roomId, after });
  slow.pause();
  const pulse = setInterval(() => {
    slow.resume();
    setTimeout(() => slow.pause(), 5);
  }, STALL_TIMEOUT_MS / 5);

  await sendMany(roomId);

  await slow.received('next', '1', COUNT);
  clearInterval(pulse);
  expect(seqsOf(edgesOf(slow))).toEqual(denseFrom(1, COUNT));
  slow.destroy();
}, 60_000);

test('a client that sends and never reads is no longer read, then closed', async () => {
  const flooding = await openSocketOf(alice, parley.webSocketUrl);
  const closedBefore = logged('WebSocket whose client reads nothing');
  flooding.pause();
  const ping = JSON.stringify({ type: 'ping', payload: { text: 'x'.repeat(50_000) } });
  for (let index = 0; index < 600; index += 1) flooding.send(ping);

  await expect.poll(() => logged('WebSocket whose client reads nothing'), TIMEOUTS).toBe(closedBefore + 1);

  // The kernel's buffers on both sides hold a part of the 30 MB; the server did not read the rest.
  expect(flooding.unsentBytes()).toBeGreaterThan(5_000_000);
  flooding.resume();
  await flooding.closed;
}, 60_000);

test('a flood of WebSocket pings whose pongs are not read ends the socket', async () => {
  const pinging = await openSocketOf(alice, parley.webSocketUrl);
  pinging.pause();
  for (let index = 0; index < 100_000; index += 1) pinging.ping('x'.repeat(125));
  // The kernel sends the pings only if the server reads them, and drops them if the server has closed the socket.
  await expect.poll(() => pinging.unsentBytes(), TIMEOUTS).toBe(0);
  pinging.resume();
  expect((await pinging.closed).code).toBe(1006);
}, 60_000);

test('over the budget of unsent bytes, only as many clients as necessary are disconnected', async () => {
  // Each blocked socket has 128 KiB and one or two frames of 16 KB unsent, so two of the four may stay.
  const server = await startParley({ overrides: { maxUnsentBytes: 400 * 1024 } });
  const bob = await signUp(server.url);
  const roomId = await createRoom(bob);
  const { liveCursor: after } = await page(bob, roomId);
  await sendMany(roomId, bob);
  const reader = await openSocketOf(bob, server.webSocketUrl);
  reader.subscribe('1', { roomId, after: (await page(bob, roomId)).liveCursor });

  const blocked = await Promise.all(
    Array.from({ length: 4 }, async () => {
      const socket = await openSocketOf(bob, server.webSocketUrl);
      socket.subscribe('1', { roomId, after });
      await socket.received('next', '1');
      socket.pause();
      return socket;
    }),
  );
  const disconnections = () => budgetLogOf(server).reduce((sum, { disconnected }) => sum + disconnected, 0);
  await expect.poll(disconnections, TIMEOUTS).toBe(2);
  const { node } = await send(bob, roomId, 'now');
  expect(await reader.received('next', '1')).toMatchObject([
    { payload: { data: { messageAdded: { node } } } },
  ]);

  for (const socket of blocked) socket.resume();
  const ends = blocked.map(({ closed }) => closed.then(({ code }) => code));
  const complete = blocked.map((socket) =>
    socket.received('next', '1', COUNT + 1).then(
      () => true,
      () => false,
    ),
  );
  expect((await Promise.all(complete)).filter(Boolean)).toHaveLength(2);
  for (const code of [await Promise.any(ends)]) expect([1006, 1013]).toContain(code);
  for (const { frames } of blocked)
    expect(new Set(frames.map(({ type }) => type))).toEqual(new Set(['connection_ack', 'next']));
  expect(disconnections()).toBe(2);
  for (const socket of [reader, ...blocked]) socket.destroy();
}, 60_000);

test('event streams count toward the budget, and are disconnected without complete', async () => {
  // A stream is not written to while 16 KiB or more are unsent.
  const server = await startParley({ overrides: { maxUnsentBytes: 16 * 1024 - 1 } });
  const bob = await signUp(server.url);
  const roomId = await createRoom(bob);
  const { liveCursor: after } = await page(bob, roomId);
  await sendMany(roomId, bob);

  const blocked = await unreadEventStream(roomId, after, bob, server.url);
  await expect.poll(() => budgetLogOf(server).length, TIMEOUTS).toBe(1);
  let text = '';
  blocked.setEncoding('utf8').on('data', (chunk) => {
    text += chunk;
  });
  await new Promise((resolve) => blocked.once('close', resolve));

  expect(blocked.complete).toBe(false);
  expect(text).toContain('event: next');
  expect(text).not.toContain('event: complete');
}, 60_000);

test('a socket with too many unsent results is closed', async () => {
  const roomId = await createRoom(alice);
  await sendMany(roomId, alice);
  const flooding = await openSocketOf(alice, parley.webSocketUrl);
  flooding.pause();
  // Results of 1.2 MB each, of which the kernel's buffers take a few.
  for (let id = 1; id <= 20; id += 1)
    flooding.subscribe(
      `${id}`,
      { roomId },
      'query ($roomId: ID!) { roomMessages(roomId: $roomId, last: 100) { nodes { text } } }',
    );

  await expect.poll(() => logged('too many unsent bytes'), TIMEOUTS).toBe(1);
  flooding.resume();
  expect([1006, 1013]).toContain((await flooding.closed).code);
}, 60_000);

function budgetLogOf(server: TestParley): { disconnected: number }[] {
  return server.log
    .filter((line) => line.includes('Unsent bytes exceed the budget'))
    .map((line) => JSON.parse(line));
}

async function sendMany(roomId: string, person = alice): Promise<void> {
  for (let index = 0; index < COUNT; index += 50)
    await Promise.all(
      Array.from({ length: 50 }, (_, inner) => send(person, roomId, `${index + inner} ${LONG}`)),
    );
}

function logged(part: string): number {
  return parley.log.filter((line) => line.includes(part)).length;
}

function seqsOf(edges: readonly Edge[]): number[] {
  return edges.map(({ node }) => node.seq);
}

function denseFrom(first: number, count: number): number[] {
  return Array.from({ length: count }, (_, index) => first + index);
}

function edgesOf({ frames }: RawSocket): Edge[] {
  return frames.flatMap((frame) =>
    frame.type === 'next' && frame.payload.data ? frame.payload.data.messageAdded : [],
  );
}

/** Uses Node's own HTTP client, which reads from the network only as the response is consumed. */
async function unreadEventStream(
  roomId: string,
  after: string,
  { token } = alice,
  url = parley.url,
): Promise<IncomingMessage> {
  const clientRequest = httpRequest(url, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'text/event-stream',
      authorization: `Bearer ${token}`,
    },
  });
  clientRequest.end(JSON.stringify({ query: MESSAGE_ADDED, variables: { roomId, after } }));
  const [response] = (await once(clientRequest, 'response')) as [IncomingMessage];
  // The test expects the server to disconnect.
  response.on('error', () => {});
  return response;
}
