import { randomBytes, randomUUID } from 'node:crypto';
import { pino } from 'pino';
import { afterEach, expect, inject, test } from 'vitest';
import { createLocalBus } from '../../src/bus/local.js';
import { createRedisBus } from '../../src/bus/redis.js';
import type { Bus } from '../../src/domain/bus.js';
import { isHint, type RoomChanged } from '../../src/domain/events.js';
import { BUS_KEY } from '../helpers/bus.js';

/** The contract of both buses. The project (`embedded` or `cluster`) decides which one is tested. */
const log = pino({ level: 'silent' });
const open: Bus[] = [];

async function createBus(): Promise<Bus> {
  const prefix = `test-${randomBytes(6).toString('hex')}`;
  const bus =
    inject('pair') === 'embedded'
      ? createLocalBus(log)
      : createRedisBus({ url: inject('redisUrl'), prefix, key: BUS_KEY, log });
  open.push(bus);
  await expect.poll(() => bus.isReady()).toBe(true);
  return bus;
}

afterEach(async () => {
  for (const bus of open.splice(0)) await bus.close();
});

function change(roomId: string, seq = 1): RoomChanged {
  const author = {
    id: randomUUID(),
    username: 'zoë',
    displayName: 'Zoë 👋',
    avatarUrl: null,
    createdAt: new Date('2026-11-24T01:49:00.123Z'),
  };
  return {
    roomId,
    epoch: '0123456789abcdef',
    head: { seq, rev: seq },
    messages: [
      {
        id: randomUUID(),
        roomId,
        seq,
        rev: seq,
        type: 'TEXT',
        authorId: author.id,
        author,
        subjectId: null,
        text: 'Grüße, 世界 👋',
        revision: 1,
        clientMessageId: 'a',
        createdAt: new Date('2026-11-25T01:49:00.123Z'),
        changedAt: null,
      },
    ],
  };
}

/** Listens to a room. `received` resolves when at least that many events have arrived. */
async function listen(bus: Bus, roomId: string) {
  const heard: RoomChanged[] = [];
  const { confirmed, unsubscribe } = bus.subscribe(roomId, (event) => !isHint(event) && heard.push(event));
  await confirmed;
  const received = (count: number) => expect.poll(() => heard.length).toBeGreaterThanOrEqual(count);
  return { heard, received, unsubscribe };
}

test('every listener of a room receives each event once and unchanged, dates included', async () => {
  const bus = await createBus();
  const roomId = randomUUID();
  const first = await listen(bus, roomId);
  const second = await listen(bus, roomId);
  const events = [change(roomId, 1), change(roomId, 2), change(roomId, 3)];

  for (const event of events) bus.publish(event);
  await first.received(3);
  await second.received(3);

  expect(first.heard).toEqual(events);
  expect(second.heard).toEqual(events);
});

test('a listener receives no events of another room', async () => {
  const bus = await createBus();
  const [here, there] = [randomUUID(), randomUUID()];
  const listener = await listen(bus, here);

  bus.publish(change(there));
  const last = change(here);
  bus.publish(last);
  await listener.received(1);

  expect(listener.heard).toEqual([last]);
});

test('an unsubscribed listener receives nothing, and the others still receive events', async () => {
  const bus = await createBus();
  const roomId = randomUUID();
  const leaving = await listen(bus, roomId);
  const staying = await listen(bus, roomId);
  leaving.unsubscribe();
  leaving.unsubscribe();

  bus.publish(change(roomId));
  await staying.received(1);

  expect(leaving.heard).toEqual([]);
});

test('a room can be listened to again after its last listener unsubscribed', async () => {
  const bus = await createBus();
  const roomId = randomUUID();
  (await listen(bus, roomId)).unsubscribe();
  const again = await listen(bus, roomId);

  bus.publish(change(roomId));
  await again.received(1);

  expect(again.heard).toHaveLength(1);
});

test('a listener that throws does not affect the others', async () => {
  const bus = await createBus();
  const roomId = randomUUID();
  await bus.subscribe(roomId, () => {
    throw new Error('on purpose');
  }).confirmed;
  const other = await listen(bus, roomId);

  bus.publish(change(roomId, 1));
  bus.publish(change(roomId, 2));
  await other.received(2);

  expect(other.heard.map(({ head }) => head.seq)).toEqual([1, 2]);
});

test('publish never throws, not even after close', async () => {
  const bus = await createBus();
  await bus.close();

  expect(() => bus.publish(change(randomUUID()))).not.toThrow();
});
