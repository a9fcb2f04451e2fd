import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createFeed, type Feed } from '../../../../src/delivery/feed/feed.js';
import { createRepairs } from '../../../../src/delivery/feed/repairs.js';
import type { MessageEvent, RoomChanged } from '../../../../src/domain/events.js';
import type { Log } from '../../../../src/domain/ports.js';
import type { Head, Position } from '../../../../src/domain/position.js';
import { createModelRoom, MODEL_EPOCH, MODEL_ROOM_ID, numbers } from '../../../helpers/model-room.js';
import { random } from '../../../helpers/random.js';

// Fake timers, so that the wait for missing predecessors takes no time.
beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const silent: Log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
/** Longer than the wait of a feed before its repair. */
const REPAIR_MS = 60;
const head = (count: number): Head => ({ seq: count, rev: count });

/** A model room with `stored` messages, and a feed of it that starts at the head `start`. */
function setUp(stored = 0, start = 0) {
  const room = createModelRoom(stored);
  const contradictions: string[] = [];
  const feed = createFeed(
    MODEL_ROOM_ID,
    { head: head(start), newestId: null },
    {
      readMissing: createRepairs(room.store),
      log: silent,
      onContradiction: () => contradictions.push(MODEL_ROOM_ID),
    },
  );
  /** The change that the commit of these messages published, for messages that were never changed. */
  const changeOf = (...seqs: number[]): RoomChanged => ({
    roomId: MODEL_ROOM_ID,
    epoch: MODEL_EPOCH,
    head: head(Math.max(...seqs)),
    messages: room.messages.filter(({ seq }) => seqs.includes(seq)),
  });
  return { room, feed, changeOf, contradictions };
}

/** All events that the feed holds after a position; null if it does not hold the position. */
function eventsAfter(feed: Feed, start: Position): MessageEvent[] | null {
  const events: MessageEvent[] = [];
  let position = start;
  for (;;) {
    const step = feed.next(position);
    if (step === 'not-held') return null;
    if (step === 'at-head') return events;
    events.push(...step.events);
    position = { ...step.to, rev: position.rev === null ? null : step.to.rev };
  }
}
const summarize = ({ kind, message, position }: MessageEvent) =>
  `${kind} ${message.seq} at ${position.seq}/${position.rev}`;
const summaries = (feed: Feed, from: Position) => eventsAfter(feed, from)?.map(summarize) ?? null;
const seqs = (feed: Feed, after: number) =>
  eventsAfter(feed, head(after))?.map(({ message }) => message.seq) ?? null;

test('appends events in order at once', () => {
  const { room, feed, changeOf } = setUp(3);
  for (const seq of [1, 2, 3]) {
    feed.apply(changeOf(seq));
    expect(feed.head).toEqual(head(seq));
  }
  expect(eventsAfter(feed, head(0))?.map(({ message }) => message)).toEqual(room.messages);
  expect(seqs(feed, 2)).toEqual([3]);
  expect(seqs(feed, 3)).toEqual([]);
  expect(room.reads).toBe(0);
});

test('drops duplicates', () => {
  const { feed, changeOf, contradictions } = setUp(4, 2);
  feed.apply(changeOf(1, 2));
  feed.apply(changeOf(2, 3));
  feed.apply(changeOf(3));
  feed.apply(changeOf(3, 4));
  expect(seqs(feed, 2)).toEqual([3, 4]);
  expect(contradictions).toEqual([]);
});

test('keeps an event that is ahead until its predecessors arrive, without reading the database', async () => {
  const { room, feed, changeOf } = setUp(3);
  feed.apply(changeOf(3));
  feed.apply(changeOf(2));
  expect(feed.head).toEqual(head(0));
  feed.apply(changeOf(1));
  expect(seqs(feed, 0)).toEqual([1, 2, 3]);
  await vi.advanceTimersByTimeAsync(REPAIR_MS);
  expect(room.reads).toBe(0);
});

test('repairs a gap from the database if the missing events do not arrive', async () => {
  const { room, feed, changeOf } = setUp(4);
  feed.apply(changeOf(1));
  feed.apply(changeOf(4));
  await vi.advanceTimersByTimeAsync(REPAIR_MS);
  expect(seqs(feed, 0)).toEqual([1, 2, 3, 4]);
  expect(room.reads).toBe(1);
});

test('does not repeat events that arrive during a repair', async () => {
  const { room, feed, changeOf } = setUp(3);
  room.hold = () => new Promise((resolve) => setTimeout(resolve, REPAIR_MS));
  feed.apply(changeOf(3));
  await vi.advanceTimersByTimeAsync(REPAIR_MS);
  expect(room.reads).toBe(1);
  feed.apply(changeOf(1));
  feed.apply(room.add());
  await vi.advanceTimersByTimeAsync(3 * REPAIR_MS);
  expect(seqs(feed, 0)).toEqual([1, 2, 3, 4]);
});

test('reads the rows of an event that was too large for the bus from the database at once', async () => {
  const { room, feed } = setUp(2);
  feed.apply({ roomId: MODEL_ROOM_ID, epoch: MODEL_EPOCH, head: head(2), messages: [] });
  await vi.advanceTimersByTimeAsync(1);
  expect(eventsAfter(feed, head(0))?.map(({ message }) => message)).toEqual(room.messages);
});

test('appends a change of an older message, which moves only the `rev`', () => {
  const { room, feed, changeOf } = setUp(3);
  feed.apply(changeOf(1, 2, 3));
  feed.apply(room.edit(2));
  expect(feed.head).toEqual({ seq: 3, rev: 4 });
  expect(summaries(feed, head(3))).toEqual(['changed 2 at 3/4']);
  // A reader of added messages is at the head before and after it.
  expect(summaries(feed, { seq: 3, rev: null })).toEqual([]);
});

test('repairs in steps as small as possible; an added message that was changed later is in a block with what follows it', async () => {
  const { room, feed, changeOf } = setUp(3);
  feed.apply(changeOf(1, 2, 3));
  room.add();
  room.edit(2);
  room.add();
  room.edit(4);
  room.edit(1);
  feed.observeHead(room.head);
  await vi.advanceTimersByTimeAsync(REPAIR_MS);
  expect(feed.head).toEqual({ seq: 5, rev: 8 });
  expect(summaries(feed, head(3))).toEqual([
    'changed 2 at 3/5',
    'added 4 at 4/5',
    'added 5 at 5/7',
    'changed 1 at 5/8',
  ]);
  // A reader inside the block receives the rest of it. Messages that they may have are changes then, not added again.
  expect(summaries(feed, { seq: 4, rev: 4 })).toEqual([
    'changed 2 at 4/5',
    'added 5 at 5/5',
    'changed 4 at 5/7',
    'changed 1 at 5/8',
  ]);
  expect(summaries(feed, { seq: 5, rev: 6 })).toEqual(['changed 4 at 5/7', 'changed 1 at 5/8']);
  expect(summaries(feed, { seq: 5, rev: 5 })).toEqual(['changed 4 at 5/7', 'changed 1 at 5/8']);
  // For a reader of added messages, the `seq` is sufficient.
  expect(summaries(feed, { seq: 4, rev: null })?.[1]).toBe('added 5 at 5/7');
  feed.apply(room.add());
  expect(summaries(feed, { seq: 5, rev: 8 })).toEqual(['added 6 at 6/9']);
});

test('puts a reader of a whole block at the new head, also if its last event is an added message', async () => {
  const { room, feed, changeOf } = setUp(3);
  feed.apply(changeOf(1, 2, 3));
  room.edit(1);
  room.add();
  room.edit(4);
  feed.observeHead(room.head);
  await vi.advanceTimersByTimeAsync(REPAIR_MS);
  expect(summaries(feed, head(3))).toEqual(['changed 1 at 3/4', 'added 4 at 4/6']);
  room.add();
  room.add();
  feed.observeHead(room.head);
  await vi.advanceTimersByTimeAsync(REPAIR_MS);
  expect(summaries(feed, { seq: 4, rev: 6 })).toEqual(['added 5 at 5/7', 'added 6 at 6/8']);
});

test('does not hold a position that the room never had', () => {
  const { room, feed, changeOf } = setUp(3);
  feed.apply(changeOf(1, 2, 3));
  feed.apply(room.edit(1));
  // The `liveCursor` of a page in the middle of the room: the newest `rev` with an older `seq`.
  expect(summaries(feed, { seq: 2, rev: 4 })).toBeNull();
  expect(summaries(feed, { seq: 2, rev: 3 })).toBeNull();
});

test('fetches missing events if an observed head is ahead, and only then', async () => {
  const { room, feed } = setUp(2);
  feed.observeHead(head(0));
  await vi.advanceTimersByTimeAsync(REPAIR_MS);
  expect(room.reads).toBe(0);
  feed.observeHead(head(2));
  await vi.advanceTimersByTimeAsync(REPAIR_MS);
  expect(seqs(feed, 0)).toEqual([1, 2]);
});

test('retries a failed repair at the next observed head', async () => {
  const { room, feed } = setUp(2);
  room.hold = async () => {
    throw new Error('away');
  };
  feed.observeHead(head(2));
  await vi.advanceTimersByTimeAsync(REPAIR_MS);
  expect(feed.head).toEqual(head(0));
  await vi.advanceTimersByTimeAsync(10 * REPAIR_MS);
  expect(room.reads).toBe(1);
  room.hold = async () => {};
  feed.observeHead(head(2));
  await vi.advanceTimersByTimeAsync(REPAIR_MS);
  expect(seqs(feed, 0)).toEqual([1, 2]);
});

test('reads once, not forever, if the database does not know an announced head', async () => {
  const { room, feed } = setUp(2);
  feed.apply({ roomId: MODEL_ROOM_ID, epoch: MODEL_EPOCH, head: head(1000), messages: [] });
  await vi.advanceTimersByTimeAsync(100 * REPAIR_MS);
  expect(room.reads).toBe(1);
  expect(seqs(feed, 0)).toEqual([1, 2]);
  feed.apply(room.add());
  expect(seqs(feed, 2)).toEqual([3]);
});

test('does not append a message whose `rev` is next but whose `seq` is not', async () => {
  const { room, feed, changeOf } = setUp(3);
  feed.apply(changeOf(1));
  const [, , third] = room.messages;
  if (!third) throw new Error('There is no third message.');
  feed.apply({ ...changeOf(2), messages: [{ ...third, rev: 2 }] });
  expect(feed.head).toEqual(head(1));
  await vi.advanceTimersByTimeAsync(REPAIR_MS);
  expect(seqs(feed, 0)).toEqual([1, 2, 3]);
});

test('reports a message with a known `seq` and another id as a contradiction', () => {
  const { room, feed, changeOf, contradictions } = setUp(3);
  feed.apply(changeOf(1, 2, 3));
  const [, second] = room.messages;
  if (!second) throw new Error('There is no second message.');
  feed.apply({ ...changeOf(2), messages: [{ ...second, id: 'another' }] });
  expect(contradictions).toHaveLength(1);
});

test('repairs many missing events in several reads, of which readers take each before the next', async () => {
  const { room, feed } = setUp(1500);
  const taken: number[] = [];
  let position: Position = head(0);
  feed.watch(() => {
    for (let step = feed.next(position); typeof step !== 'string'; step = feed.next(position)) {
      for (const { message } of step.events) taken.push(message.seq);
      position = step.to;
    }
  });
  feed.observeHead(head(1500));
  await vi.advanceTimersByTimeAsync(10 * REPAIR_MS);
  expect(taken).toEqual(numbers(1, 1500));
  expect(room.reads).toBe(6);
});

test('a burst that is larger than the ring reaches readers who take it as it comes', async () => {
  const { room, feed } = setUp();
  const text = 'x'.repeat(4000);
  const taken: number[] = [];
  let position: Position = head(0);
  feed.watch(() => {
    for (let step = feed.next(position); typeof step !== 'string'; step = feed.next(position)) {
      for (const { message } of step.events) taken.push(message.seq);
      position = step.to;
    }
  });
  for (const _ of numbers(1, 400)) room.add({ text });
  feed.apply({ roomId: MODEL_ROOM_ID, epoch: MODEL_EPOCH, head: head(400), messages: room.messages });
  expect(taken).toEqual(numbers(1, 400));
  for (const _ of numbers(1, 400)) room.add({ text });
  feed.observeHead(head(800));
  await vi.advanceTimersByTimeAsync(10 * REPAIR_MS);
  expect(taken).toEqual(numbers(1, 800));
});

test('a message that was changed after thousands of others is repaired in one block, if that fits', async () => {
  const { room, feed, changeOf } = setUp(3);
  feed.apply(changeOf(1, 2, 3));
  for (const _ of numbers(4, 600)) room.add();
  room.edit(4);
  feed.observeHead(room.head);
  await vi.advanceTimersByTimeAsync(10 * REPAIR_MS);
  expect(feed.head).toEqual({ seq: 600, rev: 601 });
  expect(seqs(feed, 3)).toEqual(numbers(4, 600));
});

test('fills its ring again for a reader who is a little behind, with one read for all of them', async () => {
  const { room, feed } = setUp(200, 200);
  expect(summaries(feed, head(180))).toBeNull();
  const recalls = numbers(1, 5).map(() => feed.recall(head(180)));
  // What happens during the read is kept.
  feed.apply(room.add());
  expect(await Promise.all(recalls)).toEqual([true, true, true, true, true]);
  expect(room.reads).toBe(1);
  expect(seqs(feed, 180)).toEqual(numbers(181, 201));
  expect(seqs(feed, 150)).toEqual(numbers(151, 201));
  // Further back than what was read.
  expect(await feed.recall(head(100))).toBe(false);
  expect(room.reads).toBe(1);
});

test('readers of changes get what was changed meanwhile from a ring that was filled again', async () => {
  const { room, feed } = setUp(30);
  room.edit(5);
  room.edit(30);
  feed.observeHead(room.head);
  await vi.advanceTimersByTimeAsync(REPAIR_MS + 61_000);
  feed.evictOld();
  expect(summaries(feed, { seq: 29, rev: 29 })).toBeNull();
  expect(await feed.recall({ seq: 29, rev: 29 })).toBe(true);
  expect(summaries(feed, { seq: 29, rev: 29 })).toEqual(['added 30 at 30/29', 'changed 5 at 30/32']);
  expect(summaries(feed, { seq: 30, rev: 30 })).toEqual(['changed 5 at 30/31', 'changed 30 at 30/32']);
  expect(summaries(feed, { seq: 30, rev: 31 })).toEqual(['changed 30 at 30/32']);
});

test('a feed that has ended wakes everyone who waits, and nobody waits again', async () => {
  const { feed } = setUp(3, 3);
  const { signal } = new AbortController();
  const waiting = feed.changed(signal);
  feed.fail(new Error('over'));
  await waiting;
  await feed.changed(signal);
  expect(await feed.recall(head(1))).toBe(false);
});

test('holds no position inside a gap that is larger than the ring, and continues after it', async () => {
  const { room, feed, changeOf } = setUp(5000);
  feed.apply(changeOf(1, 2, 3));
  feed.observeHead(head(5000));
  await vi.advanceTimersByTimeAsync(REPAIR_MS);
  expect(feed.head).toEqual(head(5000));
  for (const position of [0, 2, 3, 4999]) expect(seqs(feed, position)).toBeNull();
  expect(seqs(feed, 5000)).toEqual([]);
  feed.apply(room.add());
  expect(seqs(feed, 5000)).toEqual([5001]);
});

test('keeps the latest 1024 events', () => {
  const { room, feed } = setUp();
  for (const seq of numbers(1, 5000)) {
    feed.apply(room.add());
    if (seq === 1024) expect(seqs(feed, 0)).toEqual(numbers(1, 1024));
  }
  expect(seqs(feed, 5000 - 1025)).toBeNull();
  expect(seqs(feed, 5000 - 1024)).toEqual(numbers(5000 - 1023, 5000));
});

test('keeps about 1 MiB of messages', () => {
  const { room, feed } = setUp();
  const text = 'x'.repeat(4000);
  for (const _ of numbers(1, 500)) feed.apply(room.add({ text }));
  // A message takes about 8.8 kB.
  expect(seqs(feed, 500 - 130)).toBeNull();
  expect(seqs(feed, 500 - 100)).toEqual(numbers(401, 500));
});

test('`changed` resolves at the next event, at the end of the feed and when its signal aborts', async () => {
  const { room, feed } = setUp();
  const never = new AbortController().signal;
  const next = feed.changed(never);
  feed.apply(room.add());
  await next;

  const own = new AbortController();
  const aborted = feed.changed(own.signal);
  own.abort();
  await aborted;
  await feed.changed(own.signal);

  const failed = feed.changed(never);
  feed.fail(new Error('over'));
  await failed;
  feed.close();
  expect(feed.failure?.message).toBe('over');
});

test('random order, losses and duplicates: a reader who applies the events has the current room', async () => {
  for (let seed = 1; seed <= 300; seed += 1) {
    const next = random(seed);
    const below = (limit: number) => Math.floor(next() * limit);
    const { room, feed } = setUp();
    room.hold = () => new Promise((resolve) => setTimeout(resolve, below(REPAIR_MS)));

    const readers = Array.from({ length: 3 }, () => ({
      position: head(0) as Head,
      seqs: [] as number[],
      revisions: new Map<number, number>(),
    }));
    const readSome = (skip: number): void => {
      for (const reader of readers) {
        if (next() < skip) continue;
        // The ring holds more than any of these rooms.
        const found = eventsAfter(feed, reader.position);
        if (!found) throw new Error(`seed ${seed}: nothing after ${JSON.stringify(reader.position)}`);
        for (const { kind, message } of found) {
          if (kind === 'added') reader.seqs.push(message.seq);
          const seen = reader.revisions.get(message.seq) ?? 0;
          expect(message.revision, `seed ${seed}`).toBeGreaterThan(seen);
          reader.revisions.set(message.seq, message.revision);
        }
        reader.position = feed.head;
      }
    };

    // A fifth of the events is lost, a fifth arrives twice, and each arrives up to 6 steps late.
    let due: { at: number; change: RoomChanged }[] = [];
    const total = 30 + below(40);
    for (let place = 0; place < total; place += 1) {
      const change = room.head.seq > 0 && next() < 0.4 ? room.edit(1 + below(room.head.seq)) : room.add();
      const copies = [0, 1, 1, 1, 2][below(5)] ?? 1;
      for (let copy = 0; copy < copies; copy += 1) due.push({ at: place + next() * 6, change });
      due.sort((a, b) => a.at - b.at);
      for (const { at, change } of due) if (at <= place) feed.apply(change);
      due = due.filter(({ at }) => at > place);
      readSome(0.5);
      if (next() < 0.2) await vi.advanceTimersByTimeAsync(below(REPAIR_MS));
    }
    feed.observeHead(room.head);
    await vi.advanceTimersByTimeAsync(6 * REPAIR_MS);
    readSome(0);
    for (const { seqs, revisions } of readers) {
      expect(seqs, `seed ${seed}`).toEqual(numbers(1, room.head.seq));
      expect([...revisions], `seed ${seed}`).toEqual(
        expect.arrayContaining(room.messages.map(({ seq, revision }) => [seq, revision])),
      );
    }
    feed.close();
  }
});
