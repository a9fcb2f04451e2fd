import { expect, onTestFinished, test } from 'vitest';
import { createLocalBus } from '../../src/bus/local.js';
import { encodeMessageCursor } from '../../src/domain/cursor.js';
import { ServiceUnavailableError } from '../../src/domain/errors.js';
import { createFeeds } from '../../src/domain/feeds.js';
import type { Message } from '../../src/domain/message.js';
import type { Log, MessageSnapshot, MessageStore } from '../../src/domain/ports.js';
import { createSubscriptions, type MessageEdges } from '../../src/domain/subscription.js';

/*
 * The moments between replay and live that a test over the network can't hit: here a read of the history stands
 * still until the test lets it go on.
 */

const roomId = '01976b3a-0000-7000-8000-000000000001';
const epoch = '00ff00ff00ff00ff';
const viewer = { userId: '01976b3a-0000-7000-8000-000000000002', sessionId: '' };
const silent: Log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
const cursor = (seq: number) => encodeMessageCursor({ roomId, epoch, seq, rev: null });
const numbers = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i);

type Hold = (found: MessageSnapshot) => Promise<MessageSnapshot>;

/** A room with so many messages, whose history can be held back, and subscriptions to it. */
function setUp(stored: number) {
  const messages = numbers(1, stored).map(message);
  const head = () => ({ seq: messages.length, rev: messages.length });
  const room = { hold: (async (found) => found) as Hold, isMember: true };
  const store: Pick<MessageStore, 'read' | 'readSince' | 'readHeads'> = {
    async read(_roomId, _readerId, { size, after, before }) {
      const end = Math.min(before?.seq ?? Infinity, messages.length + 1) - 1;
      return room.hold({
        head: head(),
        isMember: room.isMember,
        messages: messages.slice(after?.seq ?? 0, end).slice(0, size),
      });
    },
    readSince: async (_roomId, seq, limit) => ({ head: head(), messages: messages.slice(seq, seq + limit) }),
    readHeads: async () => ({ epoch, heads: new Map([[roomId, head()]]) }),
  };
  const history = { epoch };
  // Subscriptions and feeds only read.
  const reading = store as MessageStore;
  const feeds = createFeeds({ messages: reading, bus: createLocalBus(silent), history, log: silent });
  onTestFinished(() => feeds.close());
  return {
    room,
    feeds,
    subscriptions: createSubscriptions({ messages: reading, feeds, history }),
    /** Commits the next message; it is delivered too, unless the event is lost. */
    send({ lost = false } = {}): void {
      const next = message(messages.length + 1);
      messages.push(next);
      if (!lost) feeds.deliver({ roomId, epoch, head: head(), messages: [next] });
    },
  };
}

function message(seq: number): Message {
  return {
    id: `message ${seq}`,
    roomId,
    seq,
    rev: seq,
    type: 'TEXT',
    authorId: viewer.userId,
    text: `text ${seq}`,
    revision: 1,
    clientMessageId: null,
    createdAt: new Date(seq),
  };
}

async function take(edges: MessageEdges, count: number): Promise<number[]> {
  const taken: number[] = [];
  while (taken.length < count) {
    const { value, done } = await edges.next();
    if (done || !value) break;
    taken.push(value.node.seq);
  }
  return taken;
}

/** A read that stands still after its snapshot was taken: `begun` when it does, until `release`. */
function heldRead(room: { hold: Hold }) {
  let begin = (): void => {};
  let release = (): void => {};
  const begun = new Promise<void>((resolve) => {
    begin = resolve;
  });
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  room.hold = async (found) => {
    room.hold = async (later) => later;
    begin();
    await released;
    return found;
  };
  return { begun, release: () => release() };
}

test.each([
  ['after a cursor', 3],
  ['from now on', null],
])('what is sent while the history is slow is delivered once, to a subscription %s', async (_, after) => {
  const { room, subscriptions, send } = setUp(5);
  const { begun, release } = heldRead(room);
  const subscribing = subscriptions.messages(viewer, roomId, after === null ? null : cursor(after));
  await begun;
  send();
  send();
  release();
  const edges = await subscribing;
  send();
  const from = (after ?? 5) + 1;
  expect(await take(edges, 9 - from)).toEqual(numbers(from, 8));
});

test('what is sent while any page of a long replay is slow is delivered once', async () => {
  const { room, subscriptions, send } = setUp(250);
  const edges = await subscriptions.messages(viewer, roomId, cursor(0));
  expect(await take(edges, 100)).toEqual(numbers(1, 100));
  const { begun, release } = heldRead(room);
  const rest = take(edges, 153);
  await begun;
  send();
  send({ lost: true });
  send();
  release();
  expect(await rest).toEqual(numbers(101, 253));
});

test('a subscriber who lags behind the ring goes on from the database, and misses nothing', async () => {
  const { subscriptions, send } = setUp(0);
  const edges = await subscriptions.messages(viewer, roomId, null);
  send();
  expect(await take(edges, 1)).toEqual([1]);
  for (let count = 0; count < 3000; count += 1) send();
  expect(await take(edges, 3000)).toEqual(numbers(2, 3001));
});

test('a database that goes away during a replay delays it and ends nothing', async () => {
  const { room, subscriptions } = setUp(150);
  const edges = await subscriptions.messages(viewer, roomId, cursor(0));
  await take(edges, 100);
  room.hold = async () => {
    room.hold = async (found) => found;
    throw new ServiceUnavailableError();
  };
  expect(await take(edges, 50)).toEqual(numbers(101, 150));
});

test('access is checked again with every page of a replay', async () => {
  const { room, subscriptions } = setUp(150);
  const edges = await subscriptions.messages(viewer, roomId, cursor(0));
  await take(edges, 100);
  room.isMember = false;
  await expect(edges.next()).rejects.toThrow('Only members');
  expect(await edges.next()).toEqual({ done: true, value: undefined });
});

test('a subscription that waits in a silent room ends at once when told to', async () => {
  const { subscriptions } = setUp(2);
  const edges = await subscriptions.messages(viewer, roomId, null);
  const waiting = edges.next();
  expect(await edges.return()).toEqual({ done: true, value: undefined });
  expect(await waiting).toEqual({ done: true, value: undefined });
});

test('a room is watched once however many subscribe, and no longer soon after the last one has left', async () => {
  const { subscriptions, feeds } = setUp(0);
  const subscribed = await Promise.all([1, 2, 3].map(() => subscriptions.messages(viewer, roomId, null)));
  expect(feeds.size).toBe(1);
  for (const edges of subscribed) await edges.return();
  await expect.poll(() => feeds.size).toBe(0);
});

test('a subscription that is refused lets go of the room too', async () => {
  const { room, subscriptions, feeds } = setUp(0);
  room.isMember = false;
  await expect(subscriptions.messages(viewer, roomId, null)).rejects.toThrow('Only members');
  await expect.poll(() => feeds.size).toBe(0);
});
