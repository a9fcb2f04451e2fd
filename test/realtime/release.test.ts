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
import { BUS_KEY } from '../helpers/bus.js';
import { connect, createRoom, MESSAGE_ADDED, type Person, signUp, subscribe } from '../helpers/client.js';
import { openEventStream } from '../helpers/event-stream.js';
import { mixture } from '../helpers/mixture.js';
import { startParley, type TestParley } from '../helpers/parley.js';
import { openSocketOf } from '../helpers/raw-socket.js';
import { moreThan, resources } from '../helpers/resources.js';

/*
 * A subscription to a silent room is released when it ends, not at the room's next message. These tests observe it on the
 * bus: an instance stays subscribed to a room for half a second after its last subscription.
 */

const TIMEOUT_MS = 3000;

/** Dispatches an event named after a room when the instance subscribes to it. */
const subscribed = new EventTarget();
/** By room: all subscriptions to the bus so far. */
const opened = new Map<string, number>();
/** By room: the current subscriptions to the bus. */
const current = new Map<string, number>();
const redisPrefix = `test-${randomBytes(6).toString('hex')}`;

function observe(bus: Bus): Bus {
  const count = (counts: Map<string, number>, roomId: string, by: number) =>
    counts.set(roomId, (counts.get(roomId) ?? 0) + by);
  return {
    ...bus,
    subscribe(roomId, listener) {
      const subscription = bus.subscribe(roomId, listener);
      count(opened, roomId, 1);
      count(current, roomId, 1);
      subscribed.dispatchEvent(new Event(roomId));
      return {
        confirmed: subscription.confirmed,
        unsubscribe() {
          count(current, roomId, -1);
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
      ? createRedisBus({ url: inject('redisUrl'), prefix: redisPrefix, key: BUS_KEY, log })
      : createLocalBus(log);
  parley = await startParley({ redisPrefix, overrides: { bus: observe(bus) } });
  alice = await signUp(parley.url);
});

beforeAll(() => {
  // Node warns of too many listeners on one emitter.
  const onWarning = (warning: Error) => void warnings.push(warning);
  process.on('warning', onWarning);
  return () => process.off('warning', onWarning);
});

beforeEach(async () => {
  roomId = await createRoom(alice);
  row = rowId('Room', roomId) ?? '';
});

/** Resolves in the middle of a subscription's start, when its feed opens. */
const starting = () => once(subscribed, row);

async function roomFollowed(): Promise<void> {
  await expect.poll(() => current.get(row)).toBe(1);
}

async function roomReleased(): Promise<void> {
  await expect.poll(() => current.get(row), { timeout: TIMEOUT_MS }).toBe(0);
  expect(opened.get(row)).toBe(1);
}

test('completing a subscription releases its room', async () => {
  const socket = await openSocketOf(alice, parley.webSocketUrl);
  socket.subscribe('1', { roomId });
  await roomFollowed();
  socket.send({ type: 'complete', id: '1' });

  await roomReleased();
  socket.destroy();
});

test('completing one of two subscriptions keeps the room, completing the other releases it', async () => {
  const socket = await openSocketOf(alice, parley.webSocketUrl);
  for (const id of ['1', '2']) socket.subscribe(id, { roomId });
  await roomFollowed();
  const other = await createRoom(alice);
  const otherRow = rowId('Room', other) ?? '';
  socket.subscribe('other', { roomId: other });
  await expect.poll(() => current.get(otherRow)).toBe(1);
  for (const id of ['1', 'other']) socket.send({ type: 'complete', id });
  // The other room was completed later, so the first room would have been released by now too.
  await expect.poll(() => current.get(otherRow), { timeout: TIMEOUT_MS }).toBe(0);
  expect(current.get(row)).toBe(1);

  socket.send({ type: 'complete', id: '2' });
  await roomReleased();
  socket.destroy();
});

test('a client that disconnects, with or without a close, releases its room', async () => {
  const client = connect(parley.webSocketUrl, { token: alice.token });
  subscribe(client, roomId);
  const other = await openSocketOf(alice, parley.webSocketUrl);
  other.subscribe('1', { roomId });
  await roomFollowed();
  await client.dispose();
  other.destroy();

  await roomReleased();
});

test('an event stream that is aborted releases its room', async () => {
  const stream = await openEventStream(parley.url, alice, { roomId });
  await roomFollowed();
  stream.abort();

  await roomReleased();
});

test('a subscription that is completed while it starts releases its room', async () => {
  const socket = await openSocketOf(alice, parley.webSocketUrl);
  socket.subscribe('1', { roomId });
  await starting();
  socket.send({ type: 'complete', id: '1' });

  await roomReleased();
  expect(socket.frames.map(({ type }) => type)).toEqual(['connection_ack']);
  socket.destroy();
});

test('a socket that is lost while a subscription starts releases its room', async () => {
  const socket = await openSocketOf(alice, parley.webSocketUrl);
  socket.subscribe('1', { roomId });
  await starting();
  socket.destroy();

  await roomReleased();
});

test('an event stream that is aborted while it starts releases its room', async () => {
  const controller = new AbortController();
  const stream = openEventStream(parley.url, alice, { roomId }, MESSAGE_ADDED, controller);
  await starting();
  controller.abort();

  await expect(stream).rejects.toThrow('aborted');
  await roomReleased();
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
  'at most 200 %s may be about to end: further ones are rejected until some have ended',
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

test('a subscription that is rejected opens no feed', async () => {
  const socket = await openSocketOf(await signUp(parley.url), parley.webSocketUrl);
  socket.subscribe('1', { roomId });
  await socket.received('error', '1');

  expect(opened.has(row)).toBe(false);
  socket.destroy();
});

test('a random mixture of subscribes, completes and lost sockets leaves no resources behind', async () => {
  const rooms = await Promise.all(Array.from({ length: 5 }, () => createRoom(alice)));
  const mix = mixture({ parley, alice, rooms, seed: 20_260_101 });
  // Opens all connections of the database pool before resources are counted.
  const querying = await openSocketOf(alice, parley.webSocketUrl);
  for (let id = 1; id <= 100; id += 1)
    querying.subscribe(`${id}`, {}, '{ viewer { rooms { nodes { name } } } }');
  await querying.received('next', undefined, 100);
  querying.destroy();
  await mix(200);
  const followedRooms = () => [...current].filter(([, count]) => count !== 0);
  await expect.poll(followedRooms, { timeout: 20_000 }).toEqual([]);
  const before = resources();

  await mix(2000);

  await expect.poll(followedRooms, { timeout: 20_000 }).toEqual([]);
  await expect.poll(() => moreThan(before), { timeout: 20_000, interval: 200 }).toEqual({});
  expect(warnings).toEqual([]);
  if (inject('pair') === 'cluster') {
    const redis = new Redis(inject('redisUrl'));
    expect(await redis.pubsub('CHANNELS', `${redisPrefix}:*`)).toEqual([]);
    redis.disconnect();
  }
  // The server still works.
  const socket = await openSocketOf(alice, parley.webSocketUrl);
  socket.subscribe('1', { roomId });
  await roomFollowed();
  socket.destroy();
  await roomReleased();
}, 180_000);
