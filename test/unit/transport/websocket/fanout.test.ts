import { buildSchema, parse } from 'graphql';
import { expect, test } from 'vitest';
import { createFeed, type Feed } from '../../../../src/delivery/feed/feed.js';
import { LiveReader } from '../../../../src/delivery/live.js';
import type { ToEvent } from '../../../../src/delivery/room-event.js';
import type { RoomChanged } from '../../../../src/domain/events.js';
import { newId } from '../../../../src/domain/id.js';
import type { Message } from '../../../../src/domain/message/message.js';
import type { Context } from '../../../../src/graphql/context.js';
import { executeShared } from '../../../../src/graphql/subscribe.js';
import { createFanout } from '../../../../src/transport/websocket/fanout.js';

const ROOM = newId();
const log = { debug() {}, info() {}, warn() {}, error() {} } as never;
const schema = buildSchema('type Query { a: Int } type Subscription { m: Int }');
const document = parse('subscription { m }');

/** Blocks resolvers until `open` is called. */
function createGate() {
  const waiting: (() => void)[] = [];
  return {
    pass: () => new Promise<void>((resolve) => waiting.push(resolve)),
    open: () => {
      for (const resolve of waiting.splice(0)) resolve();
    },
    get waiting() {
      return waiting.length;
    },
  };
}

function message(seq: number, more: Partial<Message> = {}): Message {
  return {
    id: newId(),
    roomId: ROOM,
    seq,
    rev: seq,
    type: 'TEXT',
    authorId: null,
    subjectId: null,
    text: '',
    revision: 1,
    clientMessageId: null,
    createdAt: new Date(),
    changedAt: null,
    ...more,
  };
}

const change = (messages: Message[]): RoomChanged => ({
  roomId: ROOM,
  epoch: '0'.repeat(16),
  head: { seq: messages.at(-1)?.seq ?? 0, rev: messages.at(-1)?.rev ?? 0 },
  messages,
});

/** @param isGated the messages whose execution waits for the gate. */
function setUp(isGated: (seq: number) => boolean, stored: Message[] = [], isAvailable = () => true) {
  const feed: Feed = createFeed(
    ROOM,
    { head: { seq: 4, rev: 4 }, newestId: null },
    {
      readMissing: async () => ({ head: { seq: 6, rev: 6 }, messages: stored }),
      log,
      onContradiction() {},
    },
  );
  const fanout = createFanout({
    hooks: null,
    executeShared: (args, event) =>
      isAvailable() ? executeShared({ schema, ...args }, event) : 'unavailable',
  });
  const gate = createGate();
  const args = { document, contextValue: { services: { stores: {} } } as unknown as Context };
  function subscribe(userId: string, at = feed.head.seq) {
    const received: number[] = [];
    const released: number[] = [];
    const attachment = { feed, release() {} } as never;
    const toEvent: ToEvent<unknown> = (delivery) => {
      const seq = 'message' in delivery ? delivery.message.seq : 0;
      return { m: () => (isGated(seq) ? gate.pass().then(() => seq) : seq) };
    };
    const reader = new LiveReader(
      { viewer: { userId, sessionId: '' }, roomId: ROOM, scope: 'added', toEvent },
      '',
      attachment,
      at,
      { seq: at, rev: null },
    );
    const outbox = {
      write(frame: string) {
        received.push(Number(/"m":(\d+)/.exec(frame)?.[1]));
        return true;
      },
      flush() {},
    } as never;
    const subscription = {
      id: '1',
      outbox,
      onRelease: (r: LiveReader) => void released.push(r.position.seq),
    };
    const subscriber = fanout.createGroupSubscriber(reader, subscription, {
      key: 'k',
      dependsOnViewer: false,
      args,
    });
    return { received, released, join: () => subscriber.join() };
  }
  return { feed, gate, subscribe };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

// A reader is handed off at the feed's head, and joins its group a few microtasks later. The feed may have advanced by
// then, so that the subscriber joins while the group is delivering a step.

test('a subscriber that joins while its removal is being executed receives nothing', async () => {
  const { feed, gate, subscribe } = setUp((seq) => seq === 5);
  const alice = subscribe('alice');
  alice.join();
  const bob = subscribe('bob'); // at the head before the removal
  feed.apply(change([message(5, { type: 'MEMBER_REMOVED', subjectId: 'bob' })]));
  bob.join();
  gate.open();
  await turn();
  feed.apply(change([message(6), message(7)]));
  await turn();
  gate.open();
  await turn();
  expect(alice.received).toEqual([5, 6, 7]);
  expect(bob.received).toEqual([]);
});

test('a subscriber that joins while a block is being delivered misses none of its events', async () => {
  const { feed, gate, subscribe } = setUp((seq) => seq === 6, [message(5), message(6)]);
  const alice = subscribe('alice');
  alice.join();
  const bob = subscribe('bob');
  feed.observeHead({ seq: 6, rev: 6 }); // repaired as one block
  await expect.poll(() => gate.waiting).toBe(1);
  await turn();
  bob.join();
  gate.open();
  await turn();
  await turn();
  expect(alice.received).toEqual([5, 6]);
  // Bob either receives both events or is released at his old position.
  expect(bob.released.length > 0 ? [5, 6] : bob.received).toEqual([5, 6]);
});

test('a group waits while an event needs a database that is away, and then goes on in order', async () => {
  let isAvailable = false;
  const { feed, subscribe } = setUp(
    () => false,
    [],
    () => isAvailable,
  );
  const readers = [subscribe('alice'), subscribe('bob')];
  for (const { join } of readers) join();
  feed.apply(change([message(5), message(6)]));
  await turn();
  isAvailable = true;
  feed.apply(change([message(7)]));
  await expect.poll(() => readers[0]?.received.length, { timeout: 3000 }).toBe(3);
  for (const { received, released } of readers) {
    expect(received).toEqual([5, 6, 7]);
    expect(released).toEqual([]);
  }
});

test('a group that waits releases its subscribers when its feed ends', async () => {
  const { feed, subscribe } = setUp(
    () => false,
    [],
    () => false,
  );
  const alice = subscribe('alice');
  alice.join();
  feed.apply(change([message(5)]));
  feed.fail(new Error('over'));
  await expect.poll(() => alice.released, { timeout: 3000 }).toEqual([4]);
  expect(alice.received).toEqual([]);
});
