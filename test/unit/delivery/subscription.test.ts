import { expect, onTestFinished, test, vi } from 'vitest';
import type { LiveReader } from '../../../src/delivery/live.js';
import type { RoomEvent } from '../../../src/delivery/room-event.js';
import type { EventStream } from '../../../src/delivery/stream.js';
import type { Subscriptions } from '../../../src/delivery/subscription.js';
import { ServiceUnavailableError } from '../../../src/domain/errors.js';
import type { RoomChanged } from '../../../src/domain/events.js';
import type { MessageEdge } from '../../../src/domain/message/message.js';
import { type ModelRoom, numbers } from '../../helpers/model-room.js';
import {
  brief,
  by,
  cursor,
  fakeTimers,
  NEW_EPOCH,
  soon,
  subscribeToModel,
  take,
  takeBriefs,
  takeSeqs,
  VIEWER,
} from '../../helpers/model-subscriptions.js';
import { random } from '../../helpers/random.js';

/*
 * The moments between replay and live that a test over the network cannot hit: here a test can hold a read of the history
 * until it releases it.
 */

/** Holds the next read after its snapshot was taken, until `release`. `begun` resolves when the read is held. */
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
])('delivers messages that are sent during the first read once, to a subscription %s', async (_, after) => {
  const { room, subscriptions, send } = subscribeToModel(5);
  const { begun, release } = heldRead(room);
  const subscribing = subscriptions.messages(by(after === null ? null : cursor(after)));
  await begun;
  send();
  send();
  release();
  const edges = await subscribing;
  send();
  const from = (after ?? 5) + 1;
  expect(await takeSeqs(edges, 9 - from)).toEqual(numbers(from, 8));
});

test('delivers messages that are sent during a page read of a long replay once', async () => {
  const { room, subscriptions, send } = subscribeToModel(250);
  const edges = await subscriptions.messages(by(cursor(0)));
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

test('a subscriber who is behind the ring continues from the database and misses nothing', async () => {
  const { subscriptions, send } = subscribeToModel(0);
  const edges = await subscriptions.messages(by(null));
  send();
  expect(await takeSeqs(edges, 1)).toEqual([1]);
  for (let count = 0; count < 3000; count += 1) send();
  expect(await takeSeqs(edges, 3000)).toEqual(numbers(2, 3001));
});

test('a reconnect to a position that the ring holds costs one head read and no page', async () => {
  const { room, subscriptions, send } = subscribeToModel(5);
  const watching = await subscriptions.messages(by(null));
  for (let count = 0; count < 500; count += 1) send();
  const before = room.reads;
  for (const after of [cursor(5), cursor(5, 5), cursor(300), cursor(300, 300)]) {
    const edges = await subscriptions.messages(by(after));
    const from = after === cursor(5) || after === cursor(5, 5) ? 6 : 301;
    expect(await takeSeqs(edges, 506 - from)).toEqual(numbers(from, 505));
    await edges.return();
  }
  const events = await subscriptions.events(by(cursor(503, 503)));
  expect(await takeBriefs(events, 3)).toEqual(['added 504', 'added 505', 'caught-up']);
  expect(room.reads - before).toBe(5);
  await watching.return();
});

test('a replay waits while the database is unavailable', async () => {
  const { room, subscriptions } = subscribeToModel(150);
  const edges = await subscriptions.messages(by(cursor(0)));
  await take(edges, 100);
  room.hold = async () => {
    room.hold = async () => {};
    throw new ServiceUnavailableError();
  };
  expect(await takeSeqs(edges, 50)).toEqual(numbers(101, 150));
});

test('a subscription waits for an unavailable database, and can be ended during the wait', async () => {
  const { room, feeds, subscriptions } = subscribeToModel(3);
  const unavailable = async () => {
    throw new ServiceUnavailableError();
  };
  room.hold = unavailable;
  const edges = await subscriptions.messages(by(cursor(1)));
  const ended = await subscriptions.messages(by(cursor(1)));
  const waiting = ended.next();
  await ended.return();
  expect(await waiting).toEqual({ done: true, value: undefined });
  room.hold = async () => {};
  expect(await takeSeqs(edges, 2)).toEqual([2, 3]);
  await edges.return();
  await expect.poll(() => feeds.size).toBe(0);
});

test('checks access with every page of a replay', async () => {
  const { room, subscriptions } = subscribeToModel(150);
  const edges = await subscriptions.messages(by(cursor(0)));
  await take(edges, 100);
  room.isMember = false;
  await expect(edges.next()).rejects.toThrow('Only members');
  expect(await edges.next()).toEqual({ done: true, value: undefined });
});

test.each(['MEMBER_LEFT', 'MEMBER_REMOVED'] as const)(
  'a %s of the reader ends the subscription before any later event, live and in a repair',
  async (type) => {
    for (const lost of [false, true]) {
      const { room, feeds, subscriptions, send } = subscribeToModel(2);
      const [edges, events] = [await subscriptions.messages(by(null)), await subscriptions.events(by(null))];
      expect(await takeBriefs(events, 1)).toEqual(['caught-up']);
      send({ lost });
      const other = room.add({ type, subjectId: 'somebody else' });
      const own = room.add({ type, subjectId: VIEWER.userId });
      if (!lost) for (const change of [other, own]) feeds.publish(change);
      send();
      expect(await takeSeqs(edges, 2)).toEqual([3, 4]);
      await expect(edges.next()).rejects.toThrow('Only members');
      expect(await takeBriefs(events, 2)).toEqual(['added 3', 'added 4']);
      await expect(events.next()).rejects.toThrow('Only members');
    }
  },
);

test('delivers the end of an earlier membership like any other message, from database and feed', async () => {
  const { room, feeds, subscriptions } = subscribeToModel(2);
  const left = { type: 'MEMBER_LEFT', subjectId: VIEWER.userId } as const;
  const joined = { type: 'MEMBER_JOINED', subjectId: VIEWER.userId } as const;
  room.add(left);
  room.add(joined);
  const watching = await subscriptions.messages({
    ...by(null),
    viewer: { ...VIEWER, userId: 'somebody else' },
  });
  for (const message of [left, joined]) feeds.publish(room.add(message));
  for (const after of [cursor(1), cursor(4)]) {
    const edges = await subscriptions.messages(by(after));
    const from = after === cursor(1) ? 2 : 5;
    expect(await takeSeqs(edges, 7 - from)).toEqual(numbers(from, 6));
    await edges.return();
  }
  const events = await subscriptions.events(by(cursor(6, 6)));
  feeds.publish(room.edit(3));
  expect(await takeBriefs(events, 2)).toEqual(['caught-up', 'changed 3 to 2']);
  await watching.return();
});

test('a reader of added messages who resumes inside a block gets the rest of its added messages', async () => {
  fakeTimers();
  const { room, feeds, subscriptions } = subscribeToModel(3);
  const watching = await subscriptions.messages(by(null));
  room.add();
  room.edit(4);
  room.add();
  feeds.publish(room.add());
  await vi.advanceTimersByTimeAsync(100);
  const before = room.reads;
  const edges = await subscriptions.messages(by(cursor(4)));
  expect(await takeSeqs(edges, 2)).toEqual([5, 6]);
  // The head read, and no page.
  expect(room.reads - before).toBe(1);
  await Promise.all([edges.return(), watching.return()]);
});

test('a reader reports a newer head to its feed before the next tick', async () => {
  fakeTimers();
  const { room, subscriptions, send } = subscribeToModel(3);
  const watching = await subscriptions.messages(by(null));
  const first = watching.next();
  send({ lost: true });
  const edges = await soon(subscriptions.messages(by(cursor(4))));
  const fifth = edges.next();
  await vi.advanceTimersByTimeAsync(100);
  expect((await first).value?.node.seq).toBe(4);
  room.add();
  // The feed does not hold this position, so a replay serves it, and the feed has to catch up with the end of the replay.
  const events = await soon(subscriptions.events(by(cursor(2, 4))));
  const taken = take(events, 4);
  await vi.advanceTimersByTimeAsync(100);
  expect((await taken).map(brief)).toEqual(['added 3', 'added 4', 'added 5', 'caught-up']);
  for (const next of [fifth, watching.next()]) expect((await next).value?.node.seq).toBe(5);
  await Promise.all([edges.return(), events.return(), watching.return()]);
});

test.each([
  ['within a second', true, 1000],
  ['four times as soon while the bus is not ready', false, 250],
])('the tick finds a lost event %s', async (_, isReady, ms) => {
  fakeTimers();
  const { subscriptions, send, bus } = subscribeToModel(0);
  bus.isReady = () => isReady;
  const stream = await soon(subscriptions.messages(by(null)));
  const received: number[] = [];
  void takeSeqs(stream, 1).then((seqs) => received.push(...seqs));
  // The phase of the tick is not known: wait for one.
  await vi.advanceTimersByTimeAsync(1000 - (performance.now() % 1000));

  send({ lost: true });
  await vi.advanceTimersByTimeAsync(ms - 100);
  expect(received).toEqual([]);
  await vi.advanceTimersByTimeAsync(200);

  expect(received).toEqual([1]);
  await stream.return();
});

test('does not lose events that arrive while the feed opens', async () => {
  fakeTimers();
  const { room, subscriptions, send } = subscribeToModel(3);
  const { begun, release } = heldRead(room, 'holdHeads');
  const subscribing = subscriptions.messages(by(null));
  await begun;
  send();
  release();
  const edges = await subscribing;
  send();
  // The events came neither from a tick nor from a repair.
  expect(await takeSeqs(edges, 2)).toEqual([4, 5]);
  expect(room.reads).toBe(1);
  await edges.return();
});

test('delivers all of many large changes, although a page holds only a few', async () => {
  const { room, subscriptions } = subscribeToModel(90, 'x'.repeat(4000));
  for (const seq of numbers(1, 90)) room.edit(seq);
  const events = await subscriptions.events(by(cursor(90, 90)));
  expect(await takeBriefs(events, 91)).toEqual([
    ...numbers(1, 90).map((seq) => `changed ${seq} to 2`),
    'caught-up',
  ]);
});

test('delivers added messages after a position, then changes of older ones, then live events', async () => {
  const { room, feeds, subscriptions } = subscribeToModel(4);
  room.edit(1);
  room.edit(2);
  room.add();
  room.edit(1);
  room.edit(5);
  const events = await subscriptions.events(by(cursor(4, 4)));
  const taken = await take(events, 4);
  expect(taken.map(brief)).toEqual(['added 5', 'changed 2 to 2', 'changed 1 to 3', 'caught-up']);
  // Only the last event is at the head. After the others, the changes would be delivered again.
  expect(taken.map((event) => event.cursor)).toEqual([
    cursor(5, 4),
    cursor(5, 6),
    cursor(5, 9),
    cursor(5, 9),
  ]);
  const live = take(events, 2);
  feeds.publish(room.edit(3));
  feeds.publish(room.add());
  expect((await live).map((event) => [brief(event), event.cursor])).toEqual([
    ['changed 3 to 2', cursor(5, 10)],
    ['added 6', cursor(6, 11)],
  ]);
});

test('`messages` delivers no changes, and added messages in their current state', async () => {
  const { room, feeds, subscriptions, send } = subscribeToModel(2);
  const edges = await subscriptions.messages(by(cursor(0)));
  feeds.publish(room.edit(1));
  feeds.publish(room.edit(2));
  send();
  const taken = await take(edges, 3);
  expect(taken.map(({ node }) => node.seq)).toEqual([1, 2, 3]);
});

test('does not repeat a change beyond the target that a replay has delivered', async () => {
  const { room, feeds, subscriptions } = subscribeToModel(250);
  const events = await subscriptions.events(by(cursor(0, 0)));
  await take(events, 90);
  const change = room.edit(150);
  feeds.publish(change);
  const rest = await take(events, 161);
  expect(rest.map(brief)).toEqual([...numbers(91, 250).map((seq) => `added ${seq}`), 'caught-up']);
  feeds.publish(room.edit(150));
  expect(await takeBriefs(events, 1)).toEqual(['changed 150 to 3']);
});

test('a page of a replay is bounded in bytes', async () => {
  const { room, subscriptions } = subscribeToModel(300, 'x'.repeat(4000));
  const edges = await subscriptions.messages(by(cursor(0)));
  await take(edges, 1);
  expect(await takeSeqs(edges, 299)).toEqual(numbers(2, 300));
  // 128 KiB hold 16 of these messages; without the bound, a page would hold 100.
  expect(room.reads).toBeGreaterThan(300 / 17);
});

test('a burst of reconnects reads four pages at a time, and each client receives everything', async () => {
  const { room, subscriptions } = subscribeToModel(300);
  let reading = 0;
  let maxReading = 0;
  room.hold = async () => {
    reading += 1;
    maxReading = Math.max(maxReading, reading);
    await new Promise((resolve) => setImmediate(resolve));
    reading -= 1;
  };
  const received = await Promise.all(
    numbers(1, 50).map(async (seq) => takeSeqs(await subscriptions.messages(by(cursor(seq))), 300 - seq)),
  );
  for (const [index, seqs] of received.entries()) expect(seqs).toEqual(numbers(index + 2, 300));
  expect(maxReading).toBe(4);
});

test('clients who come back to the same position share all reads', async () => {
  const { room, subscriptions } = subscribeToModel(300);
  const received = await Promise.all(
    numbers(1, 50).map(async () => takeSeqs(await subscriptions.messages(by(cursor(0))), 300)),
  );
  for (const seqs of received) expect(seqs).toEqual(numbers(1, 300));
  // Two look-ups, since the first of many waits for nothing, and at most two reads of each page or of the rest.
  expect(room.reads).toBeLessThanOrEqual(10);
});

test('clients who come back a little behind are served from memory after one read', async () => {
  const { room, subscriptions } = subscribeToModel(300);
  const received = await Promise.all(
    numbers(1, 50).map(async (behind) =>
      takeSeqs(await subscriptions.messages(by(cursor(300 - behind))), behind),
    ),
  );
  for (const [index, seqs] of received.entries()) expect(seqs).toEqual(numbers(300 - index, 300));
  // Of the access and of the room.
  expect(room.reads).toBe(2);
});

test('`return` ends a subscription that waits in a silent room at once', async () => {
  const { subscriptions } = subscribeToModel(2);
  const edges = await subscriptions.messages(by(null));
  const waiting = edges.next();
  expect(await edges.return()).toEqual({ done: true, value: undefined });
  expect(await waiting).toEqual({ done: true, value: undefined });
});

test('opens one feed per room, and closes it soon after its last subscriber has left', async () => {
  const { subscriptions, feeds } = subscribeToModel(0);
  const subscribed = await Promise.all([1, 2, 3].map(() => subscriptions.messages(by(null))));
  expect(feeds.size).toBe(1);
  for (const edges of subscribed) await edges.return();
  await expect.poll(() => feeds.size).toBe(0);
});

test('a rejected subscription leaves no feed behind', async () => {
  const { room, subscriptions, feeds } = subscribeToModel(0);
  room.isMember = false;
  await expect(subscriptions.messages(by(null))).rejects.toThrow('Only members');
  await expect.poll(() => feeds.size).toBe(0);
});

test('the feed serves readers of a busy room even if all events come from repairs', async () => {
  fakeTimers();
  const { room, subscriptions } = subscribeToModel(10);
  room.hold = () => new Promise((resolve) => setTimeout(resolve, 1));
  // Other instances write 250 messages per second, and the bus delivers none of them.
  const writing = setInterval(() => room.add(), 4);
  onTestFinished(() => clearInterval(writing));
  const subscribing = numbers(1, 50).map(() => subscriptions.events(by(cursor(5, 5))));
  await vi.advanceTimersByTimeAsync(100);
  const readers = await Promise.all(subscribing);
  const received = readers.map((): string[] => []);
  for (const [index, reader] of readers.entries())
    void (async () => {
      for await (const event of reader) received[index]?.push(brief(event));
    })();
  await vi.advanceTimersByTimeAsync(1000);
  const { reads, head } = room;
  await vi.advanceTimersByTimeAsync(2000);
  // One repair of the feed per tick. A page per reader would be hundreds of reads.
  expect(room.reads - reads).toBeLessThanOrEqual(4);
  for (const events of received) expect(events).toContain(`added ${head.seq}`);
  for (const reader of readers) await reader.return();
});

test('a reader who leaves while waiting for a page read ends at once and reads nothing', async () => {
  const { room, subscriptions } = subscribeToModel(300);
  const all = await Promise.all(numbers(1, 6).map((seq) => subscriptions.messages(by(cursor(seq)))));
  let release = (): void => {};
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  room.hold = () => held;
  const before = room.reads;
  const nexts = all.map((each) => each.next());
  await expect.poll(() => room.reads - before).toBe(4);
  for (const waiting of all.slice(4)) await waiting.return();
  release();
  for (const [index, next] of nexts.entries()) expect((await next).done ?? false).toBe(index >= 4);
  expect(room.reads - before).toBe(4);
  for (const each of all) await each.return();
});

test('delivers nothing newer than a removal to the removed reader, in a repair', async () => {
  const { room, subscriptions } = subscribeToModel(5);
  const events = await subscriptions.events(by(null));
  expect(await takeBriefs(events, 1)).toEqual(['caught-up']);
  room.add();
  room.add();
  room.add({ type: 'MEMBER_REMOVED', subjectId: VIEWER.userId });
  room.edit(7);
  room.edit(1);
  expect(await takeBriefs(events, 1)).toEqual(['added 6']);
  await expect(events.next()).rejects.toThrow('Only members');
});

test('random schedules: a page and the events after it equal the current room, despite disconnects', async () => {
  fakeTimers();
  for (let seed = 1; seed <= 200; seed += 1) {
    const next = random(seed);
    const below = (limit: number) => Math.floor(next() * limit);
    const { room, feeds, subscriptions } = subscribeToModel(below(300));
    for (let count = below(30); count > 0 && room.head.seq > 0; count -= 1)
      room.edit(1 + below(room.head.seq));
    room.hold = () => new Promise((resolve) => setTimeout(resolve, below(40)));

    // The client: it fetches a page, and applies the events after it.
    const page = { start: Math.max(0, room.head.seq - 50), ...room.head };
    const state = new Map(room.messages.slice(page.start).map(({ seq, revision }) => [seq, revision]));
    let after = cursor(page.seq, page.rev);
    let added = page.seq;
    let isOpen = true;
    let current: EventStream<RoomEvent> | undefined;
    const disconnect = () => current?.return();
    const client = (async () => {
      while (isOpen) {
        const events = await subscriptions.events(by(after));
        current = events;
        if (!isOpen) await events.return();
        const received = new Map<number, number>();
        for await (const event of events) {
          after = event.cursor;
          if (event.kind === 'added') {
            const { seq, revision } = event.edge.node;
            expect(seq, `seed ${seed}`).toBe(added + 1);
            added = seq;
            state.set(seq, revision);
            received.set(seq, revision);
          } else if (event.kind === 'changed') {
            const { seq, revision } = event.message;
            // A change may be delivered twice after a disconnect, but never within one stream.
            expect(revision, `seed ${seed}`).toBeGreaterThan(received.get(seq) ?? 0);
            received.set(seq, revision);
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
      else if (dice < 0.85) void disconnect();
      else await vi.advanceTimersByTimeAsync(below(60));
      if (next() < 0.6) for (const change of late.splice(0)) feeds.publish(change);
      if (next() < 0.1) late.reverse();
    }
    await vi.advanceTimersByTimeAsync(3000);
    isOpen = false;
    void disconnect();
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

/** A transport that takes over the reader once it has received everything: `taken` is the reader then. */
function transport() {
  const live = {
    taken: null as LiveReader | null,
    serve<Event>(stream: EventStream<Event>): EventStream<Event> {
      stream.handOff((reader) => {
        live.taken = reader;
      });
      return stream;
    },
    /** Resumes the reader in a stream of its own. */
    resume<Event>(subscriptions: Subscriptions): EventStream<Event> {
      const { taken } = live;
      if (!taken) throw new Error('No reader was handed off.');
      live.taken = null;
      // The cast is safe: the stream has the events of the one that handed off the reader.
      return live.serve(subscriptions.resume(taken) as EventStream<Event>);
    },
  };
  return live;
}

test('hands off a reader at the head with its feed, and resumes it from its position', async () => {
  const { feeds, subscriptions, send } = subscribeToModel(3);
  const live = transport();
  const events = live.serve(await subscriptions.events(by(cursor(1, 1))));
  expect(await takeBriefs(events, 9)).toEqual(['added 2', 'added 3', 'caught-up']);
  expect(await events.next()).toEqual({ done: true, value: undefined });
  // Does not release the feed any more.
  await events.return();
  const { taken } = live;
  expect(taken).toMatchObject({ position: { seq: 3, rev: 3 }, checkedSeq: 3, userId: VIEWER.userId });

  for (let count = 0; count < 3; count += 1) send();
  if (taken) taken.position = { seq: 4, rev: 4 };
  const again = live.resume<RoomEvent>(subscriptions);
  expect(await takeBriefs(again, 9)).toEqual(['added 5', 'added 6']);
  expect(live.taken).toMatchObject({ position: { seq: 6, rev: 6 } });

  expect(feeds.size).toBe(1);
  live.taken?.attachment.release();
  await expect.poll(() => feeds.size).toBe(0);
});

test('a reader at the head of a feed that is behind the database gets the rest before `caught-up`', async () => {
  const { room, subscriptions } = subscribeToModel(3);
  const other = await subscriptions.messages(by(null));
  // The bus loses this event.
  room.add();
  const live = transport();
  const events = live.serve(await subscriptions.events(by(cursor(3, 3))));
  expect(await takeBriefs(events, 9)).toEqual(['added 4', 'caught-up']);
  expect(live.taken).toMatchObject({ position: { seq: 4, rev: 4 } });
  live.taken?.attachment.release();
  await other.return();
});

test('a resumed reader that leaves releases the feed once', async () => {
  fakeTimers();
  const { feeds, subscriptions } = subscribeToModel(3);
  const live = transport();
  const [edges, others] = [
    live.serve(await subscriptions.messages(by(null))),
    await soon(subscriptions.messages(by(null))),
  ];
  expect(await takeSeqs(edges, 1)).toEqual([]);
  const again = live.resume<MessageEdge>(subscriptions);
  await again.return();
  await again.return();
  const waiting = others.next();
  // Longer than a feed outlives its last subscriber.
  await vi.advanceTimersByTimeAsync(700);
  expect(feeds.size).toBe(1);
  await others.return();
  await waiting;
  await vi.advanceTimersByTimeAsync(700);
  expect(feeds.size).toBe(0);
});

test('a reader resumed after its removal receives nothing later than that', async () => {
  const { room, feeds, subscriptions, send } = subscribeToModel(2);
  const live = transport();
  const edges = live.serve(await subscriptions.messages(by(null)));
  expect(await takeSeqs(edges, 1)).toEqual([]);
  send();
  feeds.publish(room.add({ type: 'MEMBER_REMOVED', subjectId: VIEWER.userId }));
  feeds.publish(room.add({ type: 'MEMBER_JOINED', subjectId: VIEWER.userId }));
  send();
  const again = live.resume<MessageEdge>(subscriptions);
  expect(await takeSeqs(again, 1)).toEqual([3]);
  await expect(again.next()).rejects.toThrow('Only members');
  await expect.poll(() => feeds.size).toBe(0);
});

test('without a cursor, the start is fixed when the promise resolves, however long the database takes', async () => {
  fakeTimers();
  const { room, subscriptions, send } = subscribeToModel(3);
  const { readAccess } = room.store;
  room.store.readAccess = async () => {
    throw new ServiceUnavailableError();
  };
  let isAccepted = false;
  const subscribing = subscriptions.messages(by(null)).then((edges) => {
    isAccepted = true;
    return edges;
  });
  await vi.advanceTimersByTimeAsync(5000);
  // Nobody knows yet what is new, so nothing was promised.
  expect(isAccepted).toBe(false);
  send();
  room.store.readAccess = readAccess;
  await vi.advanceTimersByTimeAsync(1000);
  const edges = await subscribing;
  send();
  send();
  expect(await takeSeqs(edges, 2)).toEqual([5, 6]);
  await edges.return();
});

test('a client that goes away ends the wait for the database', async () => {
  fakeTimers();
  const { room, feeds, subscriptions } = subscribeToModel(3);
  room.store.readAccess = async () => {
    throw new ServiceUnavailableError();
  };
  let isGone = false;
  const refused = expect(subscriptions.messages({ ...by(null), isGone: () => isGone })).rejects.toThrow(
    ServiceUnavailableError,
  );
  await vi.advanceTimersByTimeAsync(3000);
  isGone = true;
  await vi.advanceTimersByTimeAsync(1000);
  await refused;
  expect(feeds.size).toBe(0);
});

test('a feed that fails while a page of a replay is read ends `messages`, and resets `events`', async () => {
  const { room, feeds, subscriptions } = subscribeToModel(300);
  const edges = await subscriptions.messages(by(cursor(0)));
  const events = await subscriptions.events(by(cursor(0, 0)));
  await Promise.all([take(edges, 100), take(events, 100)]);
  const { begun, release } = heldRead(room);
  const next = expect(edges.next()).rejects.toMatchObject({ reason: 'RESET' });
  const rest = takeBriefs(events, 2);
  await begun;
  // A backup was restored: the database holds less than what was delivered, and has another epoch.
  room.restore(50);
  room.epoch = NEW_EPOCH;
  await expect.poll(() => feeds.size, { timeout: 5000 }).toBe(0);
  release();
  await next;
  expect(await rest).toContain('gap RESET');
  await events.return();
});
