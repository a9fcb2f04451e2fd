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

test('of hundreds that a socket begins and completes at once not all are begun', async () => {
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
  // Answered, not refused, when there is room again: those that began have ended by then.
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
