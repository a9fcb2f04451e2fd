import { randomBytes, randomUUID } from 'node:crypto';
import { Redis } from 'ioredis';
import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { createRedisBus } from '../../src/bus/redis.js';
import type { Bus } from '../../src/domain/bus.js';
import { change, listen, textsOf, unhandledRejections } from '../helpers/bus.js';
import { type PrivateRedis, startRedis } from '../helpers/redis-server.js';

/** A Redis that answers, and refuses: its access control list is changed while the bus runs. */
const prefix = `test-${randomBytes(6).toString('hex')}`;
const channelOf = (roomId: string) => `${prefix}:0:room:${roomId}`;
const unhandled = unhandledRejections();
let logged: string[] = [];
const log = pino({ level: 'debug' }, { write: (line: string) => void logged.push(line) });
let redis: PrivateRedis;
let admin: Redis;
let bus: Bus;
let far: Bus;

beforeAll(async () => {
  redis = await startRedis();
  admin = new Redis(redis.url);
});

beforeEach(async () => {
  logged = [];
  await permit('reset', 'on', '>secret', '~*', '+@all', 'allchannels');
  far = createRedisBus({ url: redis.url, prefix, log });
  bus = createRedisBus({ url: `redis://parley:secret@127.0.0.1:${redis.port}`, prefix, log });
  await expect.poll(() => bus.isReady() && far.isReady()).toBe(true);
});

afterEach(async () => {
  await bus.close();
  await far.close();
});

afterAll(async () => {
  admin.disconnect();
  await redis.stop();
  expect(unhandled).toEqual([]);
});

/** Redis ends the connection of who listens to a channel that it may no longer listen to. */
async function permit(...rules: string[]): Promise<void> {
  await admin.call('ACL', 'SETUSER', 'parley', ...rules);
}

const lines = (text: string): number => logged.filter((line) => line.includes(text)).length;

test('a refused subscription is asked for again until it is granted; the others stand meanwhile', async () => {
  const [granted, refused] = [randomUUID(), randomUUID()];
  await permit('resetchannels', `&${channelOf(granted)}`);
  const own = await listen(bus, granted);
  let confirmed = false;
  const listening = listen(bus, refused).finally(() => {
    confirmed = true;
  });
  // Refused at once, and again a second later.
  await expect.poll(() => bus.counters.refusedSubscribes, { timeout: 5000 }).toBe(2);
  expect(bus.isReady()).toBe(false);
  expect(confirmed).toBe(false);
  far.publish(change(granted));
  await expect.poll(() => own.length).toBe(1);

  const recovered = new Promise<void>((resolve) => bus.onRecovered(resolve));
  await permit('allchannels');
  const heard = await listening;
  await recovered;
  expect(bus.isReady()).toBe(true);
  far.publish(change(refused, 'heard'));
  await expect.poll(() => textsOf(heard)).toEqual(['heard']);
});

test('on a new connection one refused channel keeps no other from standing', async () => {
  const [first, refused, last] = [randomUUID(), randomUUID(), randomUUID()];
  const heard = await listen(bus, first);
  const leaving = bus.subscribe(refused, () => {});
  await leaving.confirmed;
  const heardLast = await listen(bus, last);
  const recovered = new Promise<void>((resolve) => bus.onRecovered(resolve));

  await permit('resetchannels', `&${channelOf(first)}`, `&${channelOf(last)}`);
  // The three together, and then the one alone.
  await expect.poll(() => bus.counters).toMatchObject({ reconnects: 1, refusedSubscribes: 1 });
  const again = [await listen(bus, first), await listen(bus, last)];
  far.publish(change(first));
  far.publish(change(last));
  for (const each of [heard, heardLast, ...again]) await expect.poll(() => each.length).toBe(1);
  expect(bus.isReady()).toBe(false);

  // What nobody wants any more does not have to stand.
  leaving.unsubscribe();
  expect(bus.isReady()).toBe(true);
  await recovered;
});

test('more channels than one command takes stand again after a reconnect', async () => {
  const rooms = Array.from({ length: 700 }, () => randomUUID());
  const heard = await Promise.all(rooms.map((roomId) => listen(bus, roomId)));
  const recovered = new Promise<void>((resolve) => bus.onRecovered(resolve));

  await admin.call('CLIENT', 'KILL', 'USER', 'parley');
  await recovered;
  for (const roomId of rooms) far.publish(change(roomId));

  await expect.poll(() => heard.filter((each) => each.length === 1).length, { timeout: 5000 }).toBe(700);
  expect(bus.counters.refusedSubscribes).toBe(0);
});

test('who leaves while its subscription is refused waits no longer, and hears nothing when it is granted', async () => {
  await permit('resetchannels');
  const roomId = randomUUID();
  const { confirmed, unsubscribe } = bus.subscribe(roomId, () => {});
  await expect.poll(() => bus.counters.refusedSubscribes).toBe(1);

  unsubscribe();
  await confirmed;
  await permit('allchannels');

  expect(bus.isReady()).toBe(true);
  expect(await admin.pubsub('CHANNELS', channelOf(roomId))).toEqual([]);
});

test('refused publishing is said once, counted each time, and works again by itself', async () => {
  const roomId = randomUUID();
  const heard = await listen(far, roomId);
  await permit('-publish');

  for (let count = 0; count < 100; count += 1) bus.publish(change(roomId, 'refused'));
  await expect.poll(() => bus.counters.unpublished).toBe(100);
  expect(lines('Redis refuses what is published')).toBe(1);
  await permit('+publish');
  for (const text of ['first', 'second']) bus.publish(change(roomId, text));

  await expect.poll(() => textsOf(heard)).toEqual(['first', 'second']);
  expect(bus.counters.unpublished).toBe(100);
  await expect.poll(() => lines('Redis takes again what is published')).toBe(1);
});
