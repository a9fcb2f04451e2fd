import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { Redis } from 'ioredis';
import { pino } from 'pino';
import postgres from 'postgres';
import { beforeAll, beforeEach, expect, inject, test } from 'vitest';
import { createLocalBus } from '../../src/bus/local.js';
import { createRedisBus } from '../../src/bus/redis.js';
import type { Bus } from '../../src/domain/bus.js';
import { rowId } from '../../src/graphql/schema/global-id.js';
import { connect, createRoom, MESSAGE_ADDED, type Person, signUp, subscribe } from '../helpers/client.js';
import { openEventStream } from '../helpers/event-stream.js';
import { mixture } from '../helpers/mixture.js';
import { startParley, type TestParley } from '../helpers/parley.js';
import { openSocketOf } from '../helpers/raw-socket.js';
import { moreThan, resources } from '../helpers/resources.js';

/*
 * Who leaves a silent room is let go without waiting for its next message. That shows on the bus, to which an instance
 * listens for as long as anyone there follows the room, and half a second longer.
 */

const TIMEOUT_MS = 3000;

/** How often each room was listened to, and how many listeners are left. */
const watched = new EventTarget();
const opened = new Map<string, number>();
const standing = new Map<string, number>();
const redisPrefix = `test-${randomBytes(6).toString('hex')}`;

function watch(bus: Bus): Bus {
  const count = (counts: Map<string, number>, roomId: string, by: number) =>
    counts.set(roomId, (counts.get(roomId) ?? 0) + by);
  return {
    ...bus,
    subscribe(roomId, listener) {
      const subscription = bus.subscribe(roomId, listener);
      count(opened, roomId, 1);
      count(standing, roomId, 1);
      watched.dispatchEvent(new Event(roomId));
      return {
        confirmed: subscription.confirmed,
        unsubscribe() {
          count(standing, roomId, -1);
          subscription.unsubscribe();
        },
      };
    },
  };
}

let parley: TestParley;
let alice: Person;
let roomId: string;
let row: string;
const warnings: Error[] = [];

beforeAll(async () => {
  const log = pino({ level: 'silent' });
  const bus =
    inject('pair') === 'cluster'
      ? createRedisBus({ url: inject('redisUrl'), prefix: redisPrefix, log })
      : createLocalBus(log);
  parley = await startParley({ redisPrefix, overrides: { bus: watch(bus) } });
  alice = await signUp(parley.url);
});

beforeAll(() => {
  // Too many listeners of one thing are a warning.
  const onWarning = (warning: Error) => void warnings.push(warning);
  process.on('warning', onWarning);
  return () => process.off('warning', onWarning);
});

beforeEach(async () => {
  roomId = await createRoom(alice);
  row = rowId('Room', roomId) ?? '';
});

/** In the middle of a subscription's start: its feed opens. */
const starting = () => once(watched, row);

async function followed(): Promise<void> {
  await expect.poll(() => standing.get(row)).toBe(1);
}

async function letGo(): Promise<void> {
  await expect.poll(() => standing.get(row), { timeout: TIMEOUT_MS }).toBe(0);
  expect(opened.get(row)).toBe(1);
}

test('completing a subscription lets go of its room', async () => {
  const socket = await openSocketOf(alice, parley.webSocketUrl);
  socket.subscribe('1', { roomId });
  await followed();
  socket.send({ type: 'complete', id: '1' });

  await letGo();
  socket.destroy();
});

test('completing one of two lets go of nothing, completing the other of the room', async () => {
  const socket = await openSocketOf(alice, parley.webSocketUrl);
  for (const id of ['1', '2']) socket.subscribe(id, { roomId });
  await followed();
  const other = await createRoom(alice);
  const otherRow = rowId('Room', other) ?? '';
  socket.subscribe('other', { roomId: other });
  await expect.poll(() => standing.get(otherRow)).toBe(1);
  for (const id of ['1', 'other']) socket.send({ type: 'complete', id });
  // Completed later and let go already: what was to go with the first would have gone by now.
  await expect.poll(() => standing.get(otherRow), { timeout: TIMEOUT_MS }).toBe(0);
  expect(standing.get(row)).toBe(1);

  socket.send({ type: 'complete', id: '2' });
  await letGo();
  socket.destroy();
});

test('a client that goes, or is cut off, lets go of its room', async () => {
  const client = connect(parley.webSocketUrl, { token: alice.token });
  subscribe(client, roomId);
  const other = await openSocketOf(alice, parley.webSocketUrl);
  other.subscribe('1', { roomId });
  await followed();
  await client.dispose();
  other.destroy();

  await letGo();
});

test('an event stream that is aborted lets go of its room', async () => {
  const stream = await openEventStream(parley.url, alice, { roomId });
  await followed();
  stream.abort();

  await letGo();
});

test('a subscription that is completed while it starts lets go of its room', async () => {
  const socket = await openSocketOf(alice, parley.webSocketUrl);
  socket.subscribe('1', { roomId });
  await starting();
  socket.send({ type: 'complete', id: '1' });

  await letGo();
  expect(socket.frames.map(({ type }) => type)).toEqual(['connection_ack']);
  socket.destroy();
});

test('a socket that is cut while a subscription starts lets go of its room', async () => {
  const socket = await openSocketOf(alice, parley.webSocketUrl);
  socket.subscribe('1', { roomId });
  await starting();
  socket.destroy();

  await letGo();
});

test('an event stream that is aborted while it starts lets go of its room', async () => {
  const controller = new AbortController();
  const stream = openEventStream(parley.url, alice, { roomId }, MESSAGE_ADDED, controller);
  await starting();
  controller.abort();

  await expect(stream).rejects.toThrow('aborted');
  await letGo();
});

/** Runs the work while nothing can be read from any room, nor written. */
async function whileRoomsAreLocked(work: () => Promise<void>): Promise<void> {
  const sql = postgres({ ...parley.database.connection, max: 1 });
  try {
    await sql.begin(async (transaction) => {
      await transaction`lock table rooms in access exclusive mode`;
      await work();
    });
  } finally {
    await sql.end();
  }
}

const READ_ROOM = 'query ($roomId: ID!) { roomMessages(roomId: $roomId, last: 1) { liveCursor } }';

test.each([
  ['subscriptions', MESSAGE_ADDED],
  ['queries', READ_ROOM],
])(
  'at most 200 %s may be about to end: operations beyond are refused until some have ended',
  async (_, query) => {
    const socket = await openSocketOf(alice, parley.webSocketUrl);
    let questions = 0;
    /** Resolves with the code of the error, or null where the operation was answered. */
    const ask = async (): Promise<string | null | undefined> => {
      questions += 1;
      const id = `question ${questions}`;
      socket.subscribe(id, {}, '{ __typename }');
      const [frame] = await Promise.race([socket.received('error', id), socket.received('complete', id)]);
      return frame?.type === 'error' ? frame.payload[0]?.extensions?.code : null;
    };
    let begun = 0;
    const begin = (): string => {
      begun += 1;
      socket.subscribe(`${begun}`, { roomId }, query);
      return `${begun}`;
    };

    await whileRoomsAreLocked(async () => {
      for (const count of [50, 50, 50, 49]) {
        const ids = Array.from({ length: count }, begin);
        // The answer shows that they have begun: those that are completed before are over at once.
        expect(await ask()).toBe(null);
        for (const id of ids) socket.send({ type: 'complete', id });
      }
      expect(await ask()).toBe(null);
      begin();
      expect(await ask()).toBe('LIMIT_EXCEEDED');
    });

    await expect.poll(ask, { timeout: 10_000 }).toBe(null);
    socket.destroy();
  },
);

test('a subscription that is refused opens no feed of its room', async () => {
  const socket = await openSocketOf(await signUp(parley.url), parley.webSocketUrl);
  socket.subscribe('1', { roomId });
  await socket.received('error', '1');

  expect(opened.has(row)).toBe(false);
  socket.destroy();
});

test('after any mixture of subscribes, completes and torn sockets all is as before', async () => {
  const rooms = await Promise.all(Array.from({ length: 5 }, () => createRoom(alice)));
  const mix = mixture({ parley, alice, rooms, seed: 20_260_101 });
  // So that the pool of the database has grown to what it ever needs.
  const asking = await openSocketOf(alice, parley.webSocketUrl);
  for (let id = 1; id <= 100; id += 1)
    asking.subscribe(`${id}`, {}, '{ viewer { rooms { nodes { name } } } }');
  await asking.received('next', undefined, 100);
  asking.destroy();
  await mix(200);
  const nobody = () => [...standing].filter(([, count]) => count !== 0);
  await expect.poll(nobody, { timeout: 20_000 }).toEqual([]);
  const before = resources();

  await mix(2000);

  await expect.poll(nobody, { timeout: 20_000 }).toEqual([]);
  await expect.poll(() => moreThan(before), { timeout: 20_000, interval: 200 }).toEqual({});
  expect(warnings).toEqual([]);
  if (inject('pair') === 'cluster') {
    const redis = new Redis(inject('redisUrl'));
    expect(await redis.pubsub('CHANNELS', `${redisPrefix}:*`)).toEqual([]);
    redis.disconnect();
  }
  // And it serves.
  const socket = await openSocketOf(alice, parley.webSocketUrl);
  socket.subscribe('1', { roomId });
  await followed();
  socket.destroy();
  await letGo();
}, 180_000);
