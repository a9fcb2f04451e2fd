import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createFeed, type Feed } from '../../../src/delivery/feed.js';
import type { MessageEvent, RoomChanged } from '../../../src/domain/events.js';
import type { Log } from '../../../src/domain/ports.js';
import type { Head, Position } from '../../../src/domain/position.js';
import { createModelRoom, MODEL_EPOCH, MODEL_ROOM_ID, numbers, random } from '../../helpers/model-room.js';

// The wait for early events' predecessors passes without anybody waiting.
beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const silent: Log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
/** Longer than a feed waits before it asks the database. */
const REPAIRED_MS = 60;
const head = (count: number): Head => ({ seq: count, rev: count });

/** A database with the first `stored` messages, and a feed over it that starts at `start`. */
function setUp(stored = 0, start = 0) {
  const room = createModelRoom(stored);
  const contradictions: string[] = [];
  const feed = createFeed(MODEL_ROOM_ID, head(start), {
    messages: room.store,
    log: silent,
    onContradiction: () => contradictions.push(MODEL_ROOM_ID),
  });
  /** What the commit of the n-th message told, for messages that were never changed. */
  const told = (...seqs: number[]): RoomChanged => ({
    roomId: MODEL_ROOM_ID,
    epoch: MODEL_EPOCH,
    head: head(Math.max(...seqs)),
    messages: room.messages.filter(({ seq }) => seqs.includes(seq)),
  });
  return { room, feed, told, contradictions };
}

/** All that the feed holds after a position; null where it does not hold that. */
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
const brief = ({ kind, message, position }: MessageEvent) =>
  `${kind} ${message.seq} at ${position.seq}/${position.rev}`;
const briefs = (feed: Feed, from: Position) => eventsAfter(feed, from)?.map(brief) ?? null;
const seqs = (feed: Feed, after: number) =>
  eventsAfter(feed, head(after))?.map(({ message }) => message.seq) ?? null;

test('events in order go out at once', () => {
  const { room, feed, told } = setUp(3);
  for (const seq of [1, 2, 3]) {
    feed.apply(told(seq));
    expect(feed.head).toEqual(head(seq));
  }
  expect(eventsAfter(feed, head(0))?.map(({ message }) => message)).toEqual(room.messages);
  expect(seqs(feed, 2)).toEqual([3]);
  expect(seqs(feed, 3)).toEqual([]);
  expect(room.reads).toBe(0);
});

test('an event that came before is dropped, wherever it comes from', () => {
  const { feed, told, contradictions } = setUp(4, 2);
  feed.apply(told(1, 2));
  feed.apply(told(2, 3));
  feed.apply(told(3));
  feed.apply(told(3, 4));
  expect(seqs(feed, 2)).toEqual([3, 4]);
  expect(contradictions).toEqual([]);
});

test('an early event waits for its predecessors, and costs no read where they come', async () => {
  const { room, feed, told } = setUp(3);
  feed.apply(told(3));
  feed.apply(told(2));
  expect(feed.head).toEqual(head(0));
  feed.apply(told(1));
  expect(seqs(feed, 0)).toEqual([1, 2, 3]);
  await vi.advanceTimersByTimeAsync(REPAIRED_MS);
  expect(room.reads).toBe(0);
});

test('a gap whose events never come is filled from the database', async () => {
  const { room, feed, told } = setUp(4);
  feed.apply(told(1));
  feed.apply(told(4));
  await vi.advanceTimersByTimeAsync(REPAIRED_MS);
  expect(seqs(feed, 0)).toEqual([1, 2, 3, 4]);
  expect(room.reads).toBe(1);
});

test('what arrives while the database is read is not told again by what was read', async () => {
  const { room, feed, told } = setUp(3);
  room.hold = () => new Promise((resolve) => setTimeout(resolve, REPAIRED_MS));
  feed.apply(told(3));
  await vi.advanceTimersByTimeAsync(REPAIRED_MS);
  expect(room.reads).toBe(1);
  feed.apply(told(1));
  feed.apply(room.add());
  await vi.advanceTimersByTimeAsync(3 * REPAIRED_MS);
  expect(seqs(feed, 0)).toEqual([1, 2, 3, 4]);
});

test('an event without rows, too large for the bus, is read from the database at once', async () => {
  const { room, feed } = setUp(2);
  feed.apply({ roomId: MODEL_ROOM_ID, epoch: MODEL_EPOCH, head: head(2), messages: [] });
  await vi.advanceTimersByTimeAsync(1);
  expect(eventsAfter(feed, head(0))?.map(({ message }) => message)).toEqual(room.messages);
});

test('a change of an older message goes out like an added one, and counts only in `rev`', () => {
  const { room, feed, told } = setUp(3);
  feed.apply(told(1, 2, 3));
  feed.apply(room.edit(2));
  expect(feed.head).toEqual({ seq: 3, rev: 4 });
  expect(briefs(feed, head(3))).toEqual(['changed 2 at 3/4']);
  // Who reads added messages alone is at the end before and after it.
  expect(briefs(feed, { seq: 3, rev: null })).toEqual([]);
});

test('a repair tells added messages by `seq` and then changes by `rev`; only its last event is at the new head', async () => {
  const { room, feed, told } = setUp(3);
  feed.apply(told(1, 2, 3));
  room.add();
  room.edit(2);
  room.add();
  room.edit(4);
  room.edit(1);
  feed.observeHead(room.head);
  await vi.advanceTimersByTimeAsync(REPAIRED_MS);
  expect(feed.head).toEqual({ seq: 5, rev: 8 });
  expect(briefs(feed, head(3))).toEqual([
    'added 4 at 4/3',
    'added 5 at 5/3',
    'changed 2 at 5/5',
    'changed 1 at 5/8',
  ]);
  // Who was cut off inside of it has the rest; what they may have is told as a change, not as an added message again.
  expect(briefs(feed, { seq: 4, rev: 3 })).toEqual([
    'added 5 at 5/3',
    'changed 2 at 5/5',
    'changed 4 at 5/7',
    'changed 1 at 5/8',
  ]);
  expect(briefs(feed, { seq: 5, rev: 3 })).toEqual([
    'changed 2 at 5/5',
    'changed 4 at 5/7',
    'changed 1 at 5/8',
  ]);
  expect(briefs(feed, { seq: 5, rev: 5 })).toEqual(['changed 4 at 5/7', 'changed 1 at 5/8']);
  // For added messages alone a place in the sequence is enough.
  expect(briefs(feed, { seq: 4, rev: null })?.[1]).toBe('added 5 at 5/3');
  feed.apply(room.add());
  expect(briefs(feed, { seq: 5, rev: 8 })).toEqual(['added 6 at 6/9']);
});

test('who has all of a repair is at the new head, also where its last event is an added message', async () => {
  const { room, feed, told } = setUp(3);
  feed.apply(told(1, 2, 3));
  room.edit(1);
  room.add();
  room.edit(4);
  feed.observeHead(room.head);
  await vi.advanceTimersByTimeAsync(REPAIRED_MS);
  expect(briefs(feed, head(3))).toEqual(['added 4 at 4/3', 'changed 1 at 4/6']);
  room.add();
  room.add();
  feed.observeHead(room.head);
  await vi.advanceTimersByTimeAsync(REPAIRED_MS);
  expect(briefs(feed, { seq: 4, rev: 6 })).toEqual(['added 5 at 5/6', 'added 6 at 6/8']);
});

test('a position that the room never had is left to the database', () => {
  const { room, feed, told } = setUp(3);
  feed.apply(told(1, 2, 3));
  feed.apply(room.edit(1));
  // As the `liveCursor` of a page in the middle: the newest `rev`, an older `seq`.
  expect(briefs(feed, { seq: 2, rev: 4 })).toBeNull();
  expect(briefs(feed, { seq: 2, rev: 3 })).toBeNull();
});

test('a head from the tick that is ahead has the missing fetched; one that is not changes nothing', async () => {
  const { room, feed } = setUp(2);
  feed.observeHead(head(0));
  await vi.advanceTimersByTimeAsync(REPAIRED_MS);
  expect(room.reads).toBe(0);
  feed.observeHead(head(2));
  await vi.advanceTimersByTimeAsync(REPAIRED_MS);
  expect(seqs(feed, 0)).toEqual([1, 2]);
});

test('a repair that fails is tried again with the next tick', async () => {
  const { room, feed } = setUp(2);
  room.hold = async () => {
    throw new Error('away');
  };
  feed.observeHead(head(2));
  await vi.advanceTimersByTimeAsync(REPAIRED_MS);
  expect(feed.head).toEqual(head(0));
  await vi.advanceTimersByTimeAsync(10 * REPAIRED_MS);
  expect(room.reads).toBe(1);
  room.hold = async () => {};
  feed.observeHead(head(2));
  await vi.advanceTimersByTimeAsync(REPAIRED_MS);
  expect(seqs(feed, 0)).toEqual([1, 2]);
});

test('a head that the database does not know of is asked for once, not for ever', async () => {
  const { room, feed } = setUp(2);
  feed.apply({ roomId: MODEL_ROOM_ID, epoch: MODEL_EPOCH, head: head(1000), messages: [] });
  await vi.advanceTimersByTimeAsync(100 * REPAIRED_MS);
  expect(room.reads).toBe(1);
  expect(seqs(feed, 0)).toEqual([1, 2]);
  feed.apply(room.add());
  expect(seqs(feed, 2)).toEqual([3]);
});

test('a message that pretends to be next is not taken for it', async () => {
  const { room, feed, told } = setUp(3);
  feed.apply(told(1));
  const [, , third] = room.messages;
  if (!third) throw new Error('There is no third message.');
  feed.apply({ ...told(2), messages: [{ ...third, rev: 2 }] });
  expect(feed.head).toEqual(head(1));
  await vi.advanceTimersByTimeAsync(REPAIRED_MS);
  expect(seqs(feed, 0)).toEqual([1, 2, 3]);
});

test('a message of another id in a place that is taken is told: the database holds another history', () => {
  const { room, feed, told, contradictions } = setUp(3);
  feed.apply(told(1, 2, 3));
  const [, second] = room.messages;
  if (!second) throw new Error('There is no second message.');
  feed.apply({ ...told(2), messages: [{ ...second, id: 'another' }] });
  expect(contradictions).toHaveLength(1);
});

test('who missed more than the ring holds is sent to the database, and is served again from there on', async () => {
  const { room, feed, told } = setUp(5000);
  feed.apply(told(1, 2, 3));
  feed.observeHead(head(5000));
  await vi.advanceTimersByTimeAsync(REPAIRED_MS);
  expect(feed.head).toEqual(head(5000));
  for (const position of [0, 2, 3, 4999]) expect(seqs(feed, position)).toBeNull();
  expect(seqs(feed, 5000)).toEqual([]);
  feed.apply(room.add());
  expect(seqs(feed, 5000)).toEqual([5001]);
});

test('the ring keeps the latest events and forgets the oldest', () => {
  const { room, feed } = setUp();
  for (const seq of numbers(1, 5000)) {
    feed.apply(room.add());
    if (seq === 1024) expect(seqs(feed, 0)).toEqual(numbers(1, 1024));
  }
  expect(seqs(feed, 5000 - 1025)).toBeNull();
  expect(seqs(feed, 5000 - 1024)).toEqual(numbers(5000 - 1023, 5000));
});

test('the ring is bounded by what its messages take, too', () => {
  const { room, feed } = setUp();
  const text = 'x'.repeat(4000);
  for (const _ of numbers(1, 500)) feed.apply(room.add({ text }));
  // 1 MiB of messages of about 8.5 kB each.
  expect(seqs(feed, 500 - 130)).toBeNull();
  expect(seqs(feed, 500 - 100)).toEqual(numbers(401, 500));
});

test('whoever waits is woken by the next event, by the end of the feed and by their own signal', async () => {
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

test('whatever order, loss and repetition: who applies the events has the room as it stands', async () => {
  for (let seed = 1; seed <= 300; seed += 1) {
    const next = random(seed);
    const below = (limit: number) => Math.floor(next() * limit);
    const { room, feed } = setUp();
    room.hold = () => new Promise((resolve) => setTimeout(resolve, below(REPAIRED_MS)));

    const readers = Array.from({ length: 3 }, () => ({
      position: head(0) as Head,
      seqs: [] as number[],
      revisions: new Map<number, number>(),
    }));
    const readSome = (least: number): void => {
      for (const reader of readers) {
        if (next() < least) continue;
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

    // A fifth of the events is lost, a fifth comes twice, and each comes up to 6 places late.
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
      if (next() < 0.2) await vi.advanceTimersByTimeAsync(below(REPAIRED_MS));
    }
    feed.observeHead(room.head);
    await vi.advanceTimersByTimeAsync(6 * REPAIRED_MS);
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
