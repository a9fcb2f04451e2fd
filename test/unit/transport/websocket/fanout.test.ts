import { buildSchema, parse } from 'graphql';
import { expect, test } from 'vitest';
import { createFeed, type Feed } from '../../../../src/delivery/feed.js';
import { LiveReader } from '../../../../src/delivery/live.js';
import type { ToEvent } from '../../../../src/delivery/room-event.js';
import type { RoomChanged } from '../../../../src/domain/events.js';
import { newId } from '../../../../src/domain/id.js';
import type { Message } from '../../../../src/domain/message.js';
import type { Context } from '../../../../src/graphql/context.js';
import { executeShared } from '../../../../src/graphql/subscribe.js';
import { createFanout } from '../../../../src/transport/websocket/fanout.js';

const ROOM = newId();
const log = { debug() {}, info() {}, warn() {}, error() {} } as never;
const schema = buildSchema('type Query { a: Int } type Subscription { m: Int }');
const document = parse('subscription { m }');

/** Answers are held until `open` is called. */
function gate() {
  const waiting: (() => void)[] = [];
  return {
    held: () => new Promise<void>((resolve) => waiting.push(resolve)),
    open: () => {
      for (const go of waiting.splice(0)) go();
    },
    get size() {
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

function setUp(isHeld: (seq: number) => boolean, stored: Message[] = []) {
  const feed: Feed = createFeed(
    ROOM,
    { seq: 4, rev: 4 },
    {
      messages: { readSince: async () => ({ head: { seq: 6, rev: 6 }, messages: stored }) } as never,
      log,
      onContradiction() {},
    },
  );
  const fanout = createFanout({
    hooks: null,
    executeShared: (args, event) => executeShared({ schema, ...args }, event),
  });
  const held = gate();
  const args = { document, contextValue: { services: { stores: {} } } as unknown as Context };
  function member(userId: string, at = feed.head.seq) {
    const told: number[] = [];
    const released: number[] = [];
    const attachment = { feed, release() {} } as never;
    const toEvent: ToEvent<unknown> = (delivery) => {
      const seq = 'message' in delivery ? delivery.message.seq : 0;
      return { m: () => (isHeld(seq) ? held.held().then(() => seq) : seq) };
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
        told.push(Number(/"m":(\d+)/.exec(frame)?.[1]));
        return true;
      },
      flush() {},
    } as never;
    const subscriber = { id: '1', outbox, onRelease: (r: LiveReader) => void released.push(r.position.seq) };
    const made = fanout.memberFor(reader, subscriber, { key: 'k', dependsOnViewer: false, args });
    return { told, released, join: () => made.join(), made };
  }
  return { feed, held, member };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

// Between the hand-over of a reader (it is at the feed's head) and `member.join()` lie some microtasks, in which the feed
// may move on: a subscriber then joins where the group is in the middle of a step.

test('who joins while their removal is being executed is told nothing any more', async () => {
  const { feed, held, member } = setUp((seq) => seq === 5);
  const alice = member('alice');
  alice.join();
  const bob = member('bob'); // at the head, as of now
  feed.apply(change([message(5, { type: 'MEMBER_REMOVED', subjectId: 'bob' })]));
  bob.join();
  held.open();
  await turn();
  feed.apply(change([message(6), message(7)]));
  await turn();
  held.open();
  await turn();
  expect(alice.told).toEqual([5, 6, 7]);
  expect(bob.told).toEqual([]);
});

test('who joins while a block is being told misses nothing of it', async () => {
  const { feed, held, member } = setUp((seq) => seq === 6, [message(5), message(6)]);
  const alice = member('alice');
  alice.join();
  const bob = member('bob');
  feed.observeHead({ seq: 6, rev: 6 }); // repaired as one block
  await expect.poll(() => held.size).toBe(1);
  await turn();
  bob.join();
  held.open();
  await turn();
  await turn();
  expect(alice.told).toEqual([5, 6]);
  // Told all, or given back where they were.
  expect(bob.released.length > 0 ? [5, 6] : bob.told).toEqual([5, 6]);
});
