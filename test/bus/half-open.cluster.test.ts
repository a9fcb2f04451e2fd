import { randomBytes, randomUUID } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { MAX_OUTSTANDING_PUBLISHES } from '../../src/bus/publisher.js';
import { createRedisBus } from '../../src/bus/redis.js';
import type { Bus } from '../../src/domain/bus.js';
import { BUS_KEY, change, listen, textsOf, unhandledRejections } from '../helpers/bus.js';
import { connect, createRoom, page, send, signUp, subscribe } from '../helpers/client.js';
import { startParley, startSibling } from '../helpers/parley.js';
import { type PrivateRedis, startRedis } from '../helpers/redis-server.js';
import { startTcpProxy, type TcpProxy } from '../helpers/tcp-proxy.js';

/** Half-open connections: `near` reaches Redis through a proxy that can silently drop all data. */
const PING_INTERVAL_MS = 200;

const prefix = `test-${randomBytes(6).toString('hex')}`;
const log = pino({ level: 'silent' });
const unhandled = unhandledRejections();
let redis: PrivateRedis;
let admin: Redis;
let network: TcpProxy;
let near: Bus;
let far: Bus;

beforeAll(async () => {
  redis = await startRedis();
  admin = new Redis(redis.url);
});

beforeEach(async () => {
  network = await startTcpProxy(redis.port);
  near = createRedisBus({
    url: `redis://127.0.0.1:${network.port}`,
    prefix,
    key: BUS_KEY,
    log,
    pingIntervalMs: PING_INTERVAL_MS,
  });
  far = createRedisBus({ url: redis.url, prefix, key: BUS_KEY, log, pingIntervalMs: PING_INTERVAL_MS });
  await expect.poll(() => near.isReady() && far.isReady()).toBe(true);
});

afterEach(async () => {
  await near.close();
  await far.close();
  await network.stop();
});

afterAll(async () => {
  admin.disconnect();
  await redis.stop();
  expect(unhandled).toEqual([]);
});

async function pings(): Promise<number> {
  return Number(/cmdstat_ping:calls=(\d+)/.exec(await admin.info('commandstats'))?.[1] ?? 0);
}

/** Resolves when Redis has answered that many more pings. */
async function pingsAnswered(count: number): Promise<void> {
  const before = await pings();
  await expect.poll(pings, { timeout: 5000 }).toBeGreaterThanOrEqual(before + count);
}

test('a half-open subscriber is noticed, subscribes again and reports the recovery', async () => {
  const roomId = randomUUID();
  const heard = await listen(near, roomId);
  const recovered = new Promise<void>((resolve) => near.onRecovered(resolve));

  network.swallow();
  network.restore();
  far.publish(change(roomId, 'swallowed'));
  await recovered;
  far.publish(change(roomId, 'heard'));

  await expect.poll(() => textsOf(heard)).toEqual(['heard']);
  // The subscriber and the publisher reconnected once each; their new connections were left alone.
  await expect.poll(() => near.counters).toMatchObject({ timeouts: 2, reconnects: 2 });
});

test('a half-open publisher limits its outstanding publishes, is noticed and publishes again', async () => {
  const roomId = randomUUID();
  const heard = await listen(far, roomId);
  const many = MAX_OUTSTANDING_PUBLISHES + 500;

  network.swallow();
  for (let count = 0; count < many; count += 1) near.publish(change(roomId, 'swallowed'));
  expect(near.counters.unpublished).toBe(500);
  network.restore();
  await expect.poll(() => near.counters).toMatchObject({ unpublished: many, reconnects: 2 });
  near.publish(change(roomId, 'published'));

  await expect.poll(() => textsOf(heard)).toEqual(['published']);
});

test('while new connections are half-open too, the bus is not ready and retries until it recovers', async () => {
  const roomId = randomUUID();
  const heard = await listen(near, roomId);

  network.swallow();
  await expect.poll(() => near.isReady()).toBe(false);
  // More time-outs than its two connections, so some happened during a handshake.
  await expect.poll(() => near.counters.timeouts, { timeout: 5000 }).toBeGreaterThan(3);
  expect(near.isReady()).toBe(false);
  network.restore();

  await expect.poll(() => near.isReady(), { timeout: 5000 }).toBe(true);
  far.publish(change(roomId, 'heard'));
  await expect.poll(() => textsOf(heard)).toEqual(['heard']);
});

test('closed connections are replaced without a time-out', async () => {
  const roomId = randomUUID();
  const heard = await listen(near, roomId);
  const recovered = new Promise<void>((resolve) => near.onRecovered(resolve));

  network.cut();
  await recovered;
  far.publish(change(roomId, 'heard'));

  await expect.poll(() => textsOf(heard)).toEqual(['heard']);
  await expect.poll(() => near.counters).toMatchObject({ timeouts: 0, reconnects: 2 });
});

test('a connection that answers is kept, subscribed or not, even if this process pauses', async () => {
  await listen(far, randomUUID());
  await pingsAnswered(20);
  expect(near.counters).toMatchObject({ timeouts: 0, reconnects: 0 });

  // Blocks the event loop repeatedly, so that the next ping is due while the last reply is still unread. Only the bus
  // without the proxy can be checked: the proxy runs in this process and pauses too.
  for (let pause = 0; pause < 10; pause += 1) {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, PING_INTERVAL_MS + 20);
    await nextTurn();
  }
  await pingsAnswered(10);

  expect(far.counters).toMatchObject({ timeouts: 0, reconnects: 0 });
});

test('a bus with half-open connections closes without waiting for Redis', async () => {
  network.swallow();
  await near.close();

  expect(near.isReady()).toBe(false);
  expect(() => near.publish(change(randomUUID()))).not.toThrow();
});

test('a server with half-open connections to Redis delivers by the tick, and is degraded until it recovers', async () => {
  const here = await startParley({ env: { REDIS_URL: redis.url } });
  const there = await startSibling(here, { env: { REDIS_URL: `redis://127.0.0.1:${network.port}` } });
  const alice = await signUp(here.url);
  const roomId = await createRoom(alice);
  const { liveCursor } = await page(alice, roomId);
  const subscription = subscribe(connect(there.webSocketUrl, { token: alice.token }), roomId, liveCursor);
  const ready = async () => {
    const response = await fetch(there.url.replace('graphql', 'ready'));
    const { status } = (await response.json()) as { status: string };
    return `${response.status} ${status}`;
  };
  await expect.poll(ready).toBe('200 ready');

  network.swallow();
  await send(alice, roomId, 'by the tick');
  await subscription.received(1);
  // With the default heartbeat: within two intervals of 3 s.
  await expect.poll(ready, { timeout: 8000, interval: 100 }).toBe('200 degraded');
  network.restore();
  await expect.poll(ready, { timeout: 10_000, interval: 100 }).toBe('200 ready');
  await send(alice, roomId, 'again');

  expect((await subscription.received(2)).map(({ node }) => node.text)).toEqual(['by the tick', 'again']);
});
