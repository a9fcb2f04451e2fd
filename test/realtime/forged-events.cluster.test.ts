import { randomUUID } from 'node:crypto';
import { Redis } from 'ioredis';
import postgres from 'postgres';
import { afterAll, beforeAll, expect, inject, onTestFinished, test, vi } from 'vitest';
import { deriveKey } from '../../src/auth/keys.js';
import { encodeEnvelope } from '../../src/bus/envelope.js';
import { createSigner } from '../../src/bus/signature.js';
import type { RoomChanged } from '../../src/domain/events.js';
import type { Message } from '../../src/domain/message/message.js';
import * as messageStorage from '../../src/storage/message/store.js';
import { connect, createRoom, type Person, page, send, signUp, subscribe } from '../helpers/client.js';
import { startParley, type TestParley } from '../helpers/parley.js';

/* Someone who can publish on the channels of Redis, but does not have the secret, or has only old events. */

let parley: TestParley;
let alice: Person;
let redis: Redis;
/** How often heads were read because of single rooms. */
let reads = 0;
/** What this instance has published, by the texts of the messages. */
const published = new Map<string, string>();

beforeAll(async () => {
  const { createMessageStore } = messageStorage;
  vi.spyOn(messageStorage, 'createMessageStore').mockImplementation((pool) => {
    const store = createMessageStore(pool);
    return {
      ...store,
      readHeads(roomIds) {
        reads += 1;
        return store.readHeads(roomIds);
      },
      findId(...args) {
        reads += 1;
        return store.findId(...args);
      },
    };
  });
  parley = await startParley();
  alice = await signUp(parley.url);
  redis = new Redis(inject('redisUrl'));
});
afterAll(() => redis.disconnect());

/** A room with a live subscriber, and its channel. */
async function openRoom() {
  const globalId = await createRoom(alice);
  const { liveCursor } = await page(alice, globalId);
  const listener = new Redis(inject('redisUrl'));
  onTestFinished(() => listener.disconnect());
  listener.on('pmessage', (_pattern, channel, text) => published.set(text, channel));
  await listener.psubscribe(`${parley.config.redisPrefix}:*`);
  const live = subscribe(connect(parley.webSocketUrl, { authorization: alice.token }), globalId, liveCursor);
  await send(alice, globalId, 'first');
  await live.received(1);
  await expect.poll(() => [...published.keys()].some((text) => text.includes('"first"'))).toBe(true);
  const [text = '', channel = ''] = [...published].findLast(([each]) => each.includes('"first"')) ?? [];
  return { globalId, live, channel, event: JSON.parse(text) as ForgedEvent, text };
}

interface ForgedEvent {
  readonly roomId: string;
  readonly epoch: string;
}

function forge({ roomId, epoch }: ForgedEvent, seq: number, rev = seq): RoomChanged {
  const message: Message = {
    id: randomUUID(),
    roomId,
    seq,
    rev,
    type: 'TEXT',
    authorId: null,
    author: undefined,
    subjectId: null,
    text: 'forged',
    revision: 1,
    clientMessageId: null,
    createdAt: new Date(),
    changedAt: null,
  };
  return { roomId, epoch, head: { seq, rev }, messages: [message] };
}

const SECRET = 'a secret for tests, longer than 32 bytes';
const signatures: Readonly<Record<string, (text: string) => string>> = {
  'without a signature': (text) => text,
  'with a wrong signature': createSigner(deriveKey(`not ${SECRET}`, 'bus')).sign,
};

test.each(Object.keys(signatures))('events %s are not delivered, and reset nobody', async (name) => {
  const { globalId, live, channel, event } = await openRoom();
  const other = await openRoom();
  const sign = signatures[name] ?? String;
  const readsBefore = reads;
  for (const change of [
    forge(event, 2),
    forge(event, 1),
    forge(event, 1_000_000),
    forge({ ...event, epoch: '0123456789abcdef' }, 2),
    { ...forge(event, 2), messages: [] },
  ])
    for (let time = 0; time < 20; time += 1) await redis.publish(channel, sign(encodeEnvelope(change)));
  await send(alice, globalId, 'second');
  await send(alice, other.globalId, 'other');

  expect((await live.received(2)).map(({ node }) => node.text)).toEqual(['first', 'second']);
  expect((await other.live.received(2)).map(({ node }) => node.text)).toEqual(['first', 'other']);
  expect((await page(alice, globalId)).edges.map(({ node }) => node.text)).toEqual(['first', 'second']);
  // A hundred events cost at most one look at the database per second.
  expect(reads - readsBefore).toBeLessThanOrEqual(3);
  expect(parley.log.filter((line) => line.includes('epoch is renewed'))).toEqual([]);
});

test('an old signed event that is published again changes nothing', async () => {
  const { globalId, live, channel, text } = await openRoom();
  for (const each of ['second', 'third']) await send(alice, globalId, each);
  for (let time = 0; time < 50; time += 1) await redis.publish(channel, text);
  await send(alice, globalId, 'fourth');

  expect((await live.received(4)).map(({ node }) => node.text)).toEqual([
    'first',
    'second',
    'third',
    'fourth',
  ]);
});

test('a signed event of a copy of the database is not believed, and resets nobody', async () => {
  const { globalId, live, channel, event } = await openRoom();
  const other = await openRoom();
  const { sign } = createSigner(deriveKey(SECRET, 'bus'));
  // The place of the first message, by another message.
  for (let time = 0; time < 20; time += 1)
    await redis.publish(channel, sign(encodeEnvelope(forge(event, 1))));
  await send(alice, globalId, 'second');
  await send(alice, other.globalId, 'other');

  expect((await live.received(2)).map(({ node }) => node.text)).toEqual(['first', 'second']);
  expect((await other.live.received(2)).map(({ node }) => node.text)).toEqual(['first', 'other']);
  expect(parley.log.filter((line) => line.includes('epoch is renewed'))).toEqual([]);
});

test('events of the release before, which are not signed, are delivered within a second', async () => {
  const { globalId, live, channel, event } = await openRoom();
  const sql = postgres(parley.database.url, { max: 1 });
  // What another instance stores and announces.
  await sql`insert into messages (id, room_id, seq, rev, type, text, revision, created_at)
    values (${randomUUID()}, ${event.roomId}, 2, 2, 'TEXT', 'of the release before', 1, now())`;
  const start = performance.now();
  await redis.publish(channel, encodeEnvelope(forge(event, 2)));

  expect((await live.received(2)).map(({ node }) => node.text)).toEqual(['first', 'of the release before']);
  expect(performance.now() - start).toBeLessThan(1500);
  expect((await page(alice, globalId)).edges).toHaveLength(2);
  await sql.end();
});
