import { expect, onTestFinished, test, vi } from 'vitest';
import { createLocalBus } from '../../src/bus/local.js';
import { encodeMessageCursor } from '../../src/domain/cursor.js';
import type { Deliveries } from '../../src/domain/deliveries.js';
import { ServiceUnavailableError } from '../../src/domain/errors.js';
import type { RoomChanged } from '../../src/domain/events.js';
import { createFeeds } from '../../src/domain/feeds.js';
import type { EpochStore, Log, MessageStore } from '../../src/domain/ports.js';
import { createSubscriptions, type RoomEvent } from '../../src/domain/subscription.js';
import {
  createModelRoom,
  MODEL_EPOCH,
  MODEL_ROOM_ID,
  type ModelRoom,
  numbers,
  random,
} from '../helpers/model-room.js';

/*
 * The moments between replay and live that a test over the network can't hit: here a read of the history stands
 * still until the test lets it go on.
 */

const roomId = MODEL_ROOM_ID;
const epoch = MODEL_EPOCH;
const viewer = { userId: '01976b3a-0000-7000-8000-000000000002', sessionId: '' };
const silent: Log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
const cursor = (seq: number, rev: number | null = null) => encodeMessageCursor({ roomId, epoch, seq, rev });

/** A room with so many messages, and subscriptions to it. */
function setUp(stored: number, text?: string) {
  const room = createModelRoom();
  for (let count = 0; count < stored; count += 1) room.add(text === undefined ? {} : { text });
  // Subscriptions and feeds only read.
  const messages = room.store as unknown as MessageStore;
  const history = { epoch };
  const epochs: EpochStore = {
    check: async () => {},
    renew: async (known) => {
      if (room.epoch === known) room.epoch = 'ffffffffffffffff';
    },
  };
  const feeds = createFeeds({ messages, epochs, bus: createLocalBus(silent), history, log: silent });
  onTestFinished(() => feeds.close());
  return {
    room,
    feeds,
    subscriptions: createSubscriptions({ messages, feeds, history }),
    /** Commits the next message; it is delivered too, unless the event is lost. */
    send({ lost = false } = {}): void {
      const change = room.add();
      if (!lost) feeds.deliver(change);
    },
  };
}

async function take<Event>(deliveries: Deliveries<Event>, count: number): Promise<Event[]> {
  const taken: Event[] = [];
  while (taken.length < count) {
    const { value, done } = await deliveries.next();
    if (done || !value) break;
    taken.push(value);
  }
  return taken;
}

const takeSeqs = async (...args: Parameters<typeof take<{ node: { seq: number } }>>) =>
  (await take(...args)).map(({ node }) => node.seq);

function brief(event: RoomEvent): string {
  switch (event.kind) {
    case 'added':
      return `added ${event.edge.node.seq}`;
    case 'changed':
      return `changed ${event.message.seq} to ${event.message.revision}`;
    case 'gap':
      return `gap ${event.reason}`;
    default:
      return event.kind;
  }
}
const takeBriefs = async (...args: Parameters<typeof take<RoomEvent>>) => (await take(...args)).map(brief);

/** A read that stands still after its snapshot was taken: `begun` when it does, until `release`. */
function heldRead(room: ModelRoom, hold: 'hold' | 'holdHeads' = 'hold') {
  let begin = (): void => {};
  let release = (): void => {};
  const begun = new Promise<void>((resolve) => {
    begin = resolve;
  });
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  room[hold] = async () => {
    room[hold] = async () => {};
    begin();
    await released;
  };
  return { begun, release: () => release() };
}

test.each([
  ['after a cursor', 3],
  ['from now on', null],
])(
  'what is sent while the history is slow is delivered once, to a subscription %s (D4)',
  async (_, after) => {
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
    expect(await takeSeqs(edges, 9 - from)).toEqual(numbers(from, 8));
  },
);

test('what is sent while any page of a long replay is slow is delivered once', async () => {
  const { room, subscriptions, send } = setUp(250);
  const edges = await subscriptions.messages(viewer, roomId, cursor(0));
  expect(await takeSeqs(edges, 100)).toEqual(numbers(1, 100));
  const { begun, release } = heldRead(room);
  const rest = takeSeqs(edges, 153);
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
  expect(await takeSeqs(edges, 1)).toEqual([1]);
  for (let count = 0; count < 3000; count += 1) send();
  expect(await takeSeqs(edges, 3000)).toEqual(numbers(2, 3001));
});

test('who comes back to what the ring holds costs the database one look at the head, no page', async () => {
  const { room, subscriptions, send } = setUp(5);
  const watching = await subscriptions.messages(viewer, roomId, null);
  for (let count = 0; count < 500; count += 1) send();
  const before = room.reads;
  for (const after of [cursor(5), cursor(5, 5), cursor(300), cursor(300, 300)]) {
    const edges = await subscriptions.messages(viewer, roomId, after);
    const from = after === cursor(5) || after === cursor(5, 5) ? 6 : 301;
    expect(await takeSeqs(edges, 506 - from)).toEqual(numbers(from, 505));
    await edges.return();
  }
  const events = await subscriptions.events(viewer, roomId, cursor(503, 503));
  expect(await takeBriefs(events, 3)).toEqual(['added 504', 'added 505', 'caught-up']);
  expect(room.reads - before).toBe(5);
  await watching.return();
});

test('a database that goes away during a replay delays it and ends nothing', async () => {
  const { room, subscriptions } = setUp(150);
  const edges = await subscriptions.messages(viewer, roomId, cursor(0));
  await take(edges, 100);
  room.hold = async () => {
    room.hold = async () => {};
    throw new ServiceUnavailableError();
  };
  expect(await takeSeqs(edges, 50)).toEqual(numbers(101, 150));
});

test('a subscription that begins while the database is away waits for it, and can be ended meanwhile', async () => {
  const { room, feeds, subscriptions } = setUp(3);
  const away = async () => {
    throw new ServiceUnavailableError();
  };
  room.hold = away;
  const edges = await subscriptions.messages(viewer, roomId, cursor(1));
  const ended = await subscriptions.messages(viewer, roomId, cursor(1));
  const waiting = ended.next();
  await ended.return();
  expect(await waiting).toEqual({ done: true, value: undefined });
  room.hold = async () => {};
  expect(await takeSeqs(edges, 2)).toEqual([2, 3]);
  await edges.return();
  await expect.poll(() => feeds.size).toBe(0);
});

test('access is checked again with every page of a replay', async () => {
  const { room, subscriptions } = setUp(150);
  const edges = await subscriptions.messages(viewer, roomId, cursor(0));
  await take(edges, 100);
  room.isMember = false;
  await expect(edges.next()).rejects.toThrow('Only members');
  expect(await edges.next()).toEqual({ done: true, value: undefined });
});

test.each(['MEMBER_LEFT', 'MEMBER_REMOVED'] as const)(
  'a %s of the reader ends what they read before anything later, live and in a repair',
  async (type) => {
    for (const lost of [false, true]) {
      const { room, feeds, subscriptions, send } = setUp(2);
      const [edges, events] = [
        await subscriptions.messages(viewer, roomId, null),
        await subscriptions.events(viewer, roomId, null),
      ];
      expect(await takeBriefs(events, 1)).toEqual(['caught-up']);
      send({ lost });
      const other = room.add({ type, subjectId: 'somebody else' });
      const own = room.add({ type, subjectId: viewer.userId });
      if (!lost) for (const change of [other, own]) feeds.deliver(change);
      send();
      expect(await takeSeqs(edges, 2)).toEqual([3, 4]);
      await expect(edges.next()).rejects.toThrow('Only members');
      expect(await takeBriefs(events, 2)).toEqual(['added 3', 'added 4']);
      await expect(events.next()).rejects.toThrow('Only members');
    }
  },
);

test('an earlier membership that ended is history like any other, from the database and from the feed', async () => {
  const { room, feeds, subscriptions } = setUp(2);
  const left = { type: 'MEMBER_LEFT', subjectId: viewer.userId } as const;
  const joined = { type: 'MEMBER_JOINED', subjectId: viewer.userId } as const;
  room.add(left);
  room.add(joined);
  const watching = await subscriptions.messages({ ...viewer, userId: 'somebody else' }, roomId, null);
  for (const message of [left, joined]) feeds.deliver(room.add(message));
  for (const after of [cursor(1), cursor(4)]) {
    const edges = await subscriptions.messages(viewer, roomId, after);
    const from = after === cursor(1) ? 2 : 5;
    expect(await takeSeqs(edges, 7 - from)).toEqual(numbers(from, 6));
    await edges.return();
  }
  const events = await subscriptions.events(viewer, roomId, cursor(6, 6));
  feeds.deliver(room.edit(3));
  expect(await takeBriefs(events, 2)).toEqual(['caught-up', 'changed 3 to 2']);
  await watching.return();
});

test('who comes back in the middle of a repair has the rest of its added messages, and only those', async () => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const { room, feeds, subscriptions } = setUp(3);
  const watching = await subscriptions.messages(viewer, roomId, null);
  room.add();
  room.edit(4);
  room.add();
  feeds.deliver(room.add());
  await vi.advanceTimersByTimeAsync(100);
  const before = room.reads;
  const edges = await subscriptions.messages(viewer, roomId, cursor(4));
  expect(await takeSeqs(edges, 2)).toEqual([5, 6]);
  // The look at the head, and no page.
  expect(room.reads - before).toBe(1);
  await Promise.all([edges.return(), watching.return()]);
});

test('a feed that has not heard of what a reader sees in the database is brought there without waiting for the tick', async () => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const { room, subscriptions, send } = setUp(3);
  const watching = await subscriptions.messages(viewer, roomId, null);
  const first = watching.next();
  send({ lost: true });
  const edges = await subscriptions.messages(viewer, roomId, cursor(4));
  const fifth = edges.next();
  await vi.advanceTimersByTimeAsync(100);
  expect((await first).value?.node.seq).toBe(4);
  room.add();
  // From a place that the feed has not, the database tells; then the feed must be brought to where that ended.
  const events = await subscriptions.events(viewer, roomId, cursor(2, 4));
  const taken = take(events, 4);
  await vi.advanceTimersByTimeAsync(100);
  expect((await taken).map(brief)).toEqual(['added 3', 'added 4', 'added 5', 'caught-up']);
  for (const next of [fifth, watching.next()]) expect((await next).value?.node.seq).toBe(5);
  await Promise.all([edges.return(), events.return(), watching.return()]);
});

test('what is told while a feed opens is not lost on it', async () => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const { room, subscriptions, send } = setUp(3);
  const { begun, release } = heldRead(room, 'holdHeads');
  const subscribing = subscriptions.messages(viewer, roomId, null);
  await begun;
  send();
  release();
  const edges = await subscribing;
  send();
  // Neither a tick nor a repair was needed.
  expect(await takeSeqs(edges, 2)).toEqual([4, 5]);
  expect(room.reads).toBe(1);
  await edges.return();
});

test('an event of another history has this one looked at, at once', async () => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const { room, feeds, subscriptions } = setUp(3);
  const edges = await subscriptions.messages(viewer, roomId, null);
  const ended = expect(edges.next()).rejects.toMatchObject({ reason: 'RESET' });
  room.epoch = 'ffffffffffffffff';
  feeds.deliver(room.add());
  await vi.advanceTimersByTimeAsync(10);
  await ended;
});

test('a reader who lags when an older copy of the database is put in its place is told, not sent back in silence', async () => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const { room, subscriptions } = setUp(150);
  const edges = await subscriptions.messages(viewer, roomId, cursor(0));
  const events = await subscriptions.events(viewer, roomId, cursor(0, 0));
  await Promise.all([take(edges, 150), take(events, 150)]);
  // Further than the ring holds, so the database is asked.
  for (let count = 0; count < 1500; count += 1) room.add();
  await vi.advanceTimersByTimeAsync(1100);
  room.restore(100);
  await expect(edges.next()).rejects.toMatchObject({ reason: 'RESET' });
  const rest = take(events, 2);
  await vi.advanceTimersByTimeAsync(3000);
  expect((await rest).map(brief)).toContain('gap RESET');
  await events.return();
});

test('many large changes come all, however few of them a page may keep', async () => {
  const { room, subscriptions } = setUp(90, 'x'.repeat(4000));
  for (const seq of numbers(1, 90)) room.edit(seq);
  const events = await subscriptions.events(viewer, roomId, cursor(90, 90));
  expect(await takeBriefs(events, 91)).toEqual([
    ...numbers(1, 90).map((seq) => `changed ${seq} to 2`),
    'caught-up',
  ]);
});

test('everything after a position: added messages, then changes of older ones as they stand now, then live', async () => {
  const { room, feeds, subscriptions } = setUp(4);
  room.edit(1);
  room.edit(2);
  room.add();
  room.edit(1);
  room.edit(5);
  const events = await subscriptions.events(viewer, roomId, cursor(4, 4));
  const taken = await take(events, 4);
  expect(taken.map(brief)).toEqual(['added 5', 'changed 2 to 2', 'changed 1 to 3', 'caught-up']);
  // Only the last of them is at the head; what came before goes on from where all changes come again.
  expect(taken.map((event) => event.cursor)).toEqual([
    cursor(5, 4),
    cursor(5, 6),
    cursor(5, 9),
    cursor(5, 9),
  ]);
  const live = take(events, 2);
  feeds.deliver(room.edit(3));
  feeds.deliver(room.add());
  expect((await live).map((event) => [brief(event), event.cursor])).toEqual([
    ['changed 3 to 2', cursor(5, 10)],
    ['added 6', cursor(6, 11)],
  ]);
});

test('`messageAdded` tells nothing of changes, and an added message as it stands', async () => {
  const { room, feeds, subscriptions, send } = setUp(2);
  const edges = await subscriptions.messages(viewer, roomId, cursor(0));
  feeds.deliver(room.edit(1));
  feeds.deliver(room.edit(2));
  send();
  const taken = await take(edges, 3);
  expect(taken.map(({ node }) => node.seq)).toEqual([1, 2, 3]);
});

test('a message that a replay told as it became after the target is not told again for that', async () => {
  const { room, feeds, subscriptions } = setUp(250);
  const events = await subscriptions.events(viewer, roomId, cursor(0, 0));
  await take(events, 90);
  const change = room.edit(150);
  feeds.deliver(change);
  const rest = await take(events, 161);
  expect(rest.map(brief)).toEqual([...numbers(91, 250).map((seq) => `added ${seq}`), 'caught-up']);
  feeds.deliver(room.edit(150));
  expect(await takeBriefs(events, 1)).toEqual(['changed 150 to 3']);
});

test('a page of a replay keeps no more in memory than a slow reader may cost', async () => {
  const { room, subscriptions } = setUp(300, 'x'.repeat(4000));
  const edges = await subscriptions.messages(viewer, roomId, cursor(0));
  await take(edges, 1);
  expect(await takeSeqs(edges, 299)).toEqual(numbers(2, 300));
  // 128 KiB hold 16 of these, a page by number would hold 100.
  expect(room.reads).toBeGreaterThan(300 / 17);
});

test('a storm of reconnects reads four pages at a time, and everyone gets everything', async () => {
  const { room, subscriptions } = setUp(300);
  let reading = 0;
  let most = 0;
  room.hold = async () => {
    reading += 1;
    most = Math.max(most, reading);
    await new Promise((resolve) => setImmediate(resolve));
    reading -= 1;
  };
  const everyone = await Promise.all(
    numbers(1, 50).map(async () => takeSeqs(await subscriptions.messages(viewer, roomId, cursor(0)), 300)),
  );
  for (const seqs of everyone) expect(seqs).toEqual(numbers(1, 300));
  // And four looks at the head.
  expect(most).toBe(8);
});

test('a cursor that the history does not reach: `messages` ends, `events` tells of the gap and goes on', async () => {
  const { room, feeds, subscriptions } = setUp(3);
  room.edit(1);
  const gaps = [
    encodeMessageCursor({ roomId, epoch: '1111111111111111', seq: 1, rev: 1 }),
    cursor(4, 4),
    cursor(3, 5),
  ];
  for (const after of gaps) {
    await expect(subscriptions.messages(viewer, roomId, after)).rejects.toMatchObject({ reason: 'RESET' });
    const events = await subscriptions.events(viewer, roomId, after);
    const taken = await take(events, 2);
    expect(taken.map(brief)).toEqual(['gap RESET', 'caught-up']);
    expect(taken[0]?.cursor).toBe(cursor(3, 4));
    await events.return();
  }
  const events = await subscriptions.events(viewer, roomId, gaps[0] ?? '');
  await take(events, 2);
  feeds.deliver(room.add());
  expect(await takeBriefs(events, 1)).toEqual(['added 4']);
});

test.each([
  ['an older copy with fewer messages', 3, 0],
  ['an older copy that has grown past what was seen before anybody looked', 3, 9],
])('a restored database, %s, is told to everybody', async (_, kept, sentAfter) => {
  const { room, feeds, subscriptions, send } = setUp(5);
  const edges = await subscriptions.messages(viewer, roomId, null);
  const events = await subscriptions.events(viewer, roomId, null);
  expect(await takeBriefs(events, 1)).toEqual(['caught-up']);
  send();
  expect(await takeBriefs(events, 1)).toEqual(['added 6']);
  expect(await takeSeqs(edges, 1)).toEqual([6]);

  room.restore(kept);
  for (const n of numbers(1, sentAfter)) {
    const change = room.add();
    feeds.deliver({ ...change, messages: change.messages.map((each) => ({ ...each, id: `after ${n}` })) });
  }
  await expect(edges.next()).rejects.toMatchObject({ reason: 'RESET' });
  const [gap, caughtUp] = await take(events, 2);
  expect(gap).toMatchObject({ kind: 'gap', reason: 'RESET' });
  expect(caughtUp?.kind).toBe('caught-up');
  expect(room.epoch).not.toBe(epoch);
  feeds.deliver(room.add());
  expect(await takeBriefs(events, 1)).toEqual([`added ${kept + sentAfter + 1}`]);
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

test('random schedules: a page and the events after it are the room as it stands, however often the reader is cut off', async () => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  for (let seed = 1; seed <= 200; seed += 1) {
    const next = random(seed);
    const below = (limit: number) => Math.floor(next() * limit);
    const { room, feeds, subscriptions } = setUp(below(300));
    for (let count = below(30); count > 0 && room.head.seq > 0; count -= 1)
      room.edit(1 + below(room.head.seq));
    room.hold = () => new Promise((resolve) => setTimeout(resolve, below(40)));

    // What a client does: it holds a page, and applies the events that come after it.
    const page = { start: Math.max(0, room.head.seq - 50), ...room.head };
    const state = new Map(room.messages.slice(page.start).map(({ seq, revision }) => [seq, revision]));
    let after = cursor(page.seq, page.rev);
    let added = page.seq;
    let isOpen = true;
    let current: Deliveries<RoomEvent> | undefined;
    const cut = () => current?.return();
    const client = (async () => {
      while (isOpen) {
        const events = await subscriptions.events(viewer, roomId, after);
        current = events;
        if (!isOpen) await events.return();
        const told = new Map<number, number>();
        for await (const event of events) {
          after = event.cursor;
          if (event.kind === 'added') {
            const { seq, revision } = event.edge.node;
            expect(seq, `seed ${seed}`).toBe(added + 1);
            added = seq;
            state.set(seq, revision);
            told.set(seq, revision);
          } else if (event.kind === 'changed') {
            const { seq, revision } = event.message;
            // A change may come twice after a cut, never within one stream.
            expect(revision, `seed ${seed}`).toBeGreaterThan(told.get(seq) ?? 0);
            told.set(seq, revision);
            if (seq > page.start) state.set(seq, Math.max(revision, state.get(seq) ?? 0));
          } else expect(event.kind, `seed ${seed}`).toBe('caught-up');
        }
      }
    })();

    let late: RoomChanged[] = [];
    for (let act = 40 + below(60); act > 0; act -= 1) {
      const dice = next();
      if (dice < 0.35) late.push(room.add());
      else if (dice < 0.75 && room.head.seq > 0) late.push(room.edit(1 + below(room.head.seq)));
      else if (dice < 0.8) late = late.filter(() => next() < 0.5);
      else if (dice < 0.85) void cut();
      else await vi.advanceTimersByTimeAsync(below(60));
      if (next() < 0.6) for (const change of late.splice(0)) feeds.deliver(change);
      if (next() < 0.1) late.reverse();
    }
    await vi.advanceTimersByTimeAsync(3000);
    isOpen = false;
    void cut();
    await vi.advanceTimersByTimeAsync(100);
    await client;
    const fresh = room.messages.slice(page.start).map(({ seq, revision }) => [seq, revision]);
    expect(
      [...state].sort(([a], [b]) => a - b),
      `seed ${seed}`,
    ).toEqual(fresh);
    feeds.close();
  }
});
