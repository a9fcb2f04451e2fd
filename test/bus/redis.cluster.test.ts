import { randomBytes, randomUUID } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { deriveKey } from '../../src/auth/keys.js';
import { encodeEnvelope } from '../../src/bus/envelope.js';
import { createRedisBus } from '../../src/bus/redis.js';
import { createSigner } from '../../src/bus/signature.js';
import type { Bus } from '../../src/domain/bus.js';
import type { BusEvent } from '../../src/domain/events.js';
import { BUS_KEY, change, listen, unhandledRejections } from '../helpers/bus.js';
import { connect, createRoom, page, send, signUp, subscribe } from '../helpers/client.js';
import { freePort } from '../helpers/free-port.js';
import { startParley, startSibling } from '../helpers/parley.js';
import { type PrivateRedis, startRedis } from '../helpers/redis-server.js';

/** The bus over Redis, on a private Redis that the tests stop and restart. */
let redis: PrivateRedis;
let publisher: Redis;
const open: Bus[] = [];
const unhandled = unhandledRejections();
const logged: string[] = [];
const log = pino({ level: 'debug' }, { write: (line: string) => void logged.push(line) });
const prefix = `test-${randomBytes(6).toString('hex')}`;

beforeAll(async () => {
  redis = await startRedis();
  publisher = new Redis(redis.url);
  publisher.on('error', () => {});
});

afterAll(async () => {
  publisher.disconnect();
  for (const bus of open) await bus.close();
  await redis.stop();
  expect(unhandled).toEqual([]);
});

async function createBus(url = redis.url, busPrefix = prefix): Promise<Bus> {
  const bus = createRedisBus({ url, prefix: busPrefix, key: BUS_KEY, log });
  open.push(bus);
  await expect.poll(() => bus.isReady()).toBe(true);
  return bus;
}

test('an invalid envelope is dropped and logged, and the next event arrives', async () => {
  const bus = await createBus();
  const roomId = randomUUID();
  const heard = await listen(bus, roomId);
  const channel = `${prefix}:0:room:${roomId}`;

  for (const text of ['{', '', 'null', '{"v":2}', '{"v":1,"roomId":"x"}'])
    expect(await publisher.publish(channel, text)).toBe(1);
  const good = change(roomId);
  bus.publish(good);

  await expect.poll(() => heard).toEqual([good]);
  expect(bus.counters.droppedEnvelopes).toBe(5);
  expect(logged.some((line) => line.includes('not a valid envelope'))).toBe(true);
});

test("an envelope of one room on another room's channel is dropped, counted once and logged", async () => {
  const bus = await createBus();
  const [here, there] = [randomUUID(), randomUUID()];
  const heard = [await listen(bus, here), await listen(bus, here), await listen(bus, there)];
  const channel = `${prefix}:0:room:${here}`;

  const { sign } = createSigner(BUS_KEY);
  expect(await publisher.publish(channel, sign(encodeEnvelope(change(there))))).toBe(1);
  const good = change(here);
  // On the same connection, so it comes after the other.
  expect(await publisher.publish(channel, sign(encodeEnvelope(good)))).toBe(1);

  await expect.poll(() => heard).toEqual([[good], [good], []]);
  expect(bus.counters.droppedEnvelopes).toBe(1);
  expect(logged.some((line) => line.includes('of another room than its channel'))).toBe(true);
});

test('an envelope with a wrong signature is dropped, counted, and logged once', async () => {
  const bus = await createBus();
  const roomId = randomUUID();
  const heard: BusEvent[] = [];
  await bus.subscribe(roomId, (event) => heard.push(event)).confirmed;
  const channel = `${prefix}:0:room:${roomId}`;
  const signed = createSigner(BUS_KEY).sign(encodeEnvelope(change(roomId)));
  const forged = [
    createSigner(deriveKey('another secret of another deployment', 'bus')).sign(
      encodeEnvelope(change(roomId)),
    ),
    signed.replace('hello', 'jello'),
    signed.replace(/.{3}"}$/, 'AAA"}'),
    signed.replace(/"mac":".*"/, `"mac":"${'A'.repeat(43)}"`),
  ];
  for (const text of forged) expect(await publisher.publish(channel, text)).toBe(1);
  bus.publish(change(roomId, 'good'));

  await expect.poll(() => heard).toHaveLength(1);
  expect(heard).toMatchObject([{ messages: [{ text: 'good' }] }]);
  expect(bus.counters.forgedEnvelopes).toBe(forged.length);
  expect(logged.filter((line) => line.includes('wrong signature'))).toHaveLength(1);
});

test('an envelope without a signature only says that its room may have changed', async () => {
  const bus = await createBus();
  const roomId = randomUUID();
  const heard: BusEvent[] = [];
  await bus.subscribe(roomId, (event) => heard.push(event)).confirmed;
  expect(await publisher.publish(`${prefix}:0:room:${roomId}`, encodeEnvelope(change(roomId)))).toBe(1);

  await expect.poll(() => heard).toEqual([{ roomId, isHint: true }]);
});

test('each invalid envelope of a flood is counted, and at most one per second is logged', async () => {
  const bus = await createBus();
  const roomId = randomUUID();
  const heard = await listen(bus, roomId);
  const lines = () => logged.filter((line) => line.includes('not a valid envelope')).length;
  const linesBefore = lines();
  const startedAt = performance.now();

  await Promise.all(Array.from({ length: 500 }, () => publisher.publish(`${prefix}:0:room:${roomId}`, '{')));
  bus.publish(change(roomId));
  await expect.poll(() => heard.length).toBe(1);

  expect(bus.counters.droppedEnvelopes).toBe(500);
  expect(lines() - linesBefore).toBeGreaterThan(0);
  expect(lines() - linesBefore).toBeLessThanOrEqual(1 + (performance.now() - startedAt) / 1000);
});

test('a change too large for the bus arrives without its messages', async () => {
  const bus = await createBus();
  const roomId = randomUUID();
  const heard = await listen(bus, roomId);
  const large = change(roomId, 'x'.repeat(70_000));

  bus.publish(large);

  await expect.poll(() => heard).toEqual([{ ...large, messages: [] }]);
});

test("deployments with different prefixes or database numbers do not receive each other's events", async () => {
  const roomId = randomUUID();
  const [bus, otherPrefix, otherNumber] = [
    await createBus(),
    await createBus(redis.url, `${prefix}-other`),
    await createBus(`${redis.url}/1`),
  ];
  const own = await listen(bus, roomId);
  const others = [await listen(otherPrefix, roomId), await listen(otherNumber, roomId)];

  bus.publish(change(roomId));
  await expect.poll(() => own.length).toBe(1);
  // Redis keeps the order on a connection: if the first event had been sent to these, it would arrive before their own.
  for (const each of [otherPrefix, otherNumber]) each.publish(change(roomId, 'own'));
  for (const heard of others)
    await expect.poll(() => heard.map(({ messages }) => messages[0]?.text)).toEqual(['own']);
});

test('after a restart of Redis the bus reports its recovery and delivers again', async () => {
  const bus = await createBus();
  const roomId = randomUUID();
  const heard = await listen(bus, roomId);
  const recovered = new Promise<void>((resolve) => bus.onRecovered(resolve));

  await redis.kill();
  await expect.poll(() => bus.isReady()).toBe(false);
  expect(() => bus.publish(change(roomId, 'lost'))).not.toThrow();
  await redis.restart();
  await recovered;
  await expect.poll(() => bus.isReady()).toBe(true);
  bus.publish(change(roomId, 'found'));

  await expect.poll(() => heard.map(({ messages }) => messages[0]?.text)).toEqual(['found']);
  expect(bus.counters).toMatchObject({ unpublished: 1, reconnects: 2, timeouts: 0 });
});

test('a subscription during an outage is confirmed when Redis is back, or at once if it is canceled', async () => {
  const bus = await createBus();
  const [waiting, leaving] = [randomUUID(), randomUUID()];
  await listen(bus, waiting);
  await redis.kill();
  await expect.poll(() => bus.isReady()).toBe(false);

  let confirmed = false;
  const again = listen(bus, waiting).then(() => {
    confirmed = true;
  });
  const left = bus.subscribe(leaving, () => {});
  left.unsubscribe();
  await left.confirmed;
  // A promise that is settled by now has called back after a turn of the event loop.
  await nextTurn();
  expect(confirmed).toBe(false);
  await redis.restart();
  await again;
});

test('closing the bus confirms pending and later subscriptions', async () => {
  const bus = createRedisBus({ url: `redis://127.0.0.1:${await freePort()}`, prefix, key: BUS_KEY, log });
  const confirmed: string[] = [];
  const subscribeTo = (name: string) =>
    void bus.subscribe(randomUUID(), () => {}).confirmed.then(() => confirmed.push(name));
  subscribeTo('first');
  subscribeTo('second');
  // Whatever was settled by now has said so after a turn of the event loop.
  await nextTurn();
  expect(confirmed).toEqual([]);

  await bus.close();
  await nextTurn();
  expect(confirmed).toEqual(['first', 'second']);
  subscribeTo('late');
  await nextTurn();
  expect(confirmed).toEqual(['first', 'second', 'late']);
});

test('a bus that starts before Redis becomes ready once Redis is up', async () => {
  const port = await freePort();
  const bus = createRedisBus({ url: `redis://127.0.0.1:${port}`, prefix, key: BUS_KEY, log });
  open.push(bus);
  expect(bus.isReady()).toBe(false);
  const roomId = randomUUID();
  const listening = listen(bus, roomId);
  bus.publish(change(roomId, 'lost'));

  const late = await startRedis({ port });
  const heard = await listening;
  await expect.poll(() => bus.isReady(), { timeout: 10_000 }).toBe(true);
  bus.publish(change(roomId, 'found'));
  await expect.poll(() => heard.map(({ messages }) => messages[0]?.text)).toEqual(['found']);
  expect(bus.counters).toMatchObject({ unpublished: 1, reconnects: 0 });

  await bus.close();
  await late.stop();
});

test('during an outage of Redis messages still reach the other instance, and readiness recovers by itself', async () => {
  const env = { REDIS_URL: redis.url };
  const here = await startParley({ env });
  const there = await startSibling(here, { env });
  const alice = await signUp(here.url);
  const roomId = await createRoom(alice);
  const { liveCursor } = await page(alice, roomId);
  const subscription = subscribe(connect(there.webSocketUrl, { token: alice.token }), roomId, liveCursor);
  await send(alice, roomId, 'by Redis');
  await subscription.received(1);
  const ready = async () => {
    const response = await fetch(here.url.replace('graphql', 'ready'));
    const { status } = (await response.json()) as { status: string };
    return `${response.status} ${status}`;
  };
  expect(await ready()).toBe('200 ready');

  await redis.kill();
  await expect.poll(ready).toBe('200 degraded');
  await send(alice, roomId, 'by the tick');
  await subscription.received(2);
  await redis.restart();
  await expect.poll(ready, { timeout: 10_000 }).toBe('200 ready');
  const state = await fetch(here.url.replace('graphql', 'ready'));
  // Both connections were replaced; the message sent during the outage was not published.
  expect(await state.json()).toMatchObject({ bus: { reconnects: 2, unpublished: 1 } });
  await send(alice, roomId, 'by Redis again');

  const texts = (await subscription.received(3)).map(({ node }) => node.text);
  expect(texts).toEqual(['by Redis', 'by the tick', 'by Redis again']);
});
