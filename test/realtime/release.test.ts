import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { Redis } from 'ioredis';
import { pino } from 'pino';
import { beforeAll, beforeEach, expect, inject, test } from 'vitest';
import { createLocalBus } from '../../src/bus/local.js';
import { createRedisBus } from '../../src/bus/redis.js';
import type { Bus } from '../../src/domain/bus.js';
import { newId } from '../../src/domain/id.js';
import { encodeGlobalId, rowId } from '../../src/graphql/schema/global-id.js';
import { connect, createRoom, MESSAGE_ADDED, type Person, signUp, subscribe } from '../helpers/client.js';
import { openStores } from '../helpers/database.js';
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
      ? createRedisBus({ url: inject('redisUrl'), prefix: redisPrefix, log })
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

test('of hundreds of subscriptions that a socket starts and completes at once, not all open a feed', async () => {
  const socket = await openSocketOf(alice, parley.webSocketUrl);
  const { rooms: store } = openStores(parley.database);
  const creatorId = rowId('User', alice.userId) ?? '';
  const rows = await Promise.all(
    Array.from({ length: 400 }, () =>
      store.create({ id: newId(), kind: 'PUBLIC', name: 'One of many', topic: null, creatorId }),
    ),
  );
  const rooms = rows.map(({ id }) => encodeGlobalId('Room', id));
  const before = opened.size;
  socket.send(
    ...rooms.flatMap((id) => [
      {
        type: 'subscribe',
        id,
        payload: { query: `subscription { messageAdded(roomId: "${id}") { cursor } }` },
      },
      { type: 'complete', id },
    ]),
  );
  // A query succeeds once the socket is below its limit again: the subscriptions that started have ended by then.
  let id = 0;
  await expect
    .poll(
      async () => {
        id += 1;
        socket.send({ type: 'subscribe', id: `${id}`, payload: { query: '{ __typename }' } });
        await Promise.race([socket.received('error', `${id}`), socket.received('next', `${id}`)]);
        return socket.frames.some((frame) => frame.type === 'next');
      },
      { timeout: 10_000 },
    )
    .toBe(true);

  expect(opened.size - before).toBeLessThan(rooms.length);
  socket.destroy();
});

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
