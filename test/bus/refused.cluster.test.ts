import { randomBytes, randomUUID } from 'node:crypto';
import { Redis } from 'ioredis';
import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { createRedisBus } from '../../src/bus/redis.js';
import type { Bus } from '../../src/domain/bus.js';
import { BUS_KEY, change, listen, textsOf, unhandledRejections } from '../helpers/bus.js';
import { type PrivateRedis, startRedis } from '../helpers/redis-server.js';

/** A Redis that answers but rejects commands: the tests change its access control list while the bus runs. */
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
  far = createRedisBus({ url: redis.url, prefix, key: BUS_KEY, log });
  bus = createRedisBus({ url: `redis://parley:secret@127.0.0.1:${redis.port}`, prefix, key: BUS_KEY, log });
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

/** Changes the permissions of the bus. Redis closes a connection that is subscribed to a channel it may no longer use. */
async function permit(...rules: string[]): Promise<void> {
  await admin.call('ACL', 'SETUSER', 'parley', ...rules);
}

const lines = (text: string): number => logged.filter((line) => line.includes(text)).length;

test('a rejected subscription is retried until it is granted, while the others work', async () => {
  const [granted, refused] = [randomUUID(), randomUUID()];
  await permit('resetchannels', `&${channelOf(granted)}`);
  const own = await listen(bus, granted);
  let confirmed = false;
  const listening = listen(bus, refused).finally(() => {
    confirmed = true;
  });
  // Rejected at once, and again a second later.
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

test('on a new connection, a rejected channel does not keep the others from being subscribed', async () => {
  const [first, refused, last] = [randomUUID(), randomUUID(), randomUUID()];
  const heard = await listen(bus, first);
  const leaving = bus.subscribe(refused, () => {});
  await leaving.confirmed;
  const heardLast = await listen(bus, last);
  const recovered = new Promise<void>((resolve) => bus.onRecovered(resolve));

  await permit('resetchannels', `&${channelOf(first)}`, `&${channelOf(last)}`);
  // The command with all three is rejected, then the one with the rejected channel.
  await expect.poll(() => bus.counters).toMatchObject({ reconnects: 1, refusedSubscribes: 1 });
  const again = [await listen(bus, first), await listen(bus, last)];
  far.publish(change(first));
  far.publish(change(last));
  for (const each of [heard, heardLast, ...again]) await expect.poll(() => each.length).toBe(1);
  expect(bus.isReady()).toBe(false);

  // A channel without listeners does not count any more.
  leaving.unsubscribe();
  expect(bus.isReady()).toBe(true);
  await recovered;
});

test('more channels than fit into one command are subscribed again after a reconnect', async () => {
  const rooms = Array.from({ length: 700 }, () => randomUUID());
  const heard = await Promise.all(rooms.map((roomId) => listen(bus, roomId)));
  const recovered = new Promise<void>((resolve) => bus.onRecovered(resolve));

  await admin.call('CLIENT', 'KILL', 'USER', 'parley');
  await recovered;
  for (const roomId of rooms) far.publish(change(roomId));

  await expect.poll(() => heard.filter((each) => each.length === 1).length, { timeout: 5000 }).toBe(700);
  expect(bus.counters.refusedSubscribes).toBe(0);
});

test('a rejected subscription that is canceled is confirmed, and is not made once it would be granted', async () => {
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

test('rejected publishes are logged once and counted each, and work again once permitted', async () => {
  const roomId = randomUUID();
  const heard = await listen(far, roomId);
  await permit('-publish');

  for (let count = 0; count < 100; count += 1) bus.publish(change(roomId, 'refused'));
  await expect.poll(() => bus.counters.unpublished).toBe(100);
  expect(lines('Redis rejects publishes')).toBe(1);
  await permit('+publish');
  for (const text of ['first', 'second']) bus.publish(change(roomId, text));

  await expect.poll(() => textsOf(heard)).toEqual(['first', 'second']);
  expect(bus.counters.unpublished).toBe(100);
  await expect.poll(() => lines('Redis accepts publishes again')).toBe(1);
});
