import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createFeed, type Feed } from '../../src/domain/feed.js';
import type { Message } from '../../src/domain/message.js';
import type { Log } from '../../src/domain/ports.js';

// The wait for early events' predecessors passes without anybody waiting.
beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const roomId = '01976b3a-0000-7000-8000-000000000001';
const silent: Log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
/** Longer than a feed waits before it asks the database. */
const REPAIRED_MS = 60;

function message(seq: number): Message {
  return {
    id: `message ${seq}`,
    roomId,
    seq,
    rev: seq,
    type: 'TEXT',
    authorId: null,
    text: `text ${seq}`,
    revision: 1,
    clientMessageId: null,
    createdAt: new Date(seq),
  };
}

const head = (count: number) => ({ seq: count, rev: count });
const numbers = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i);

/** An event that brings these messages. */
function event(...seqs: number[]) {
  return { roomId, epoch: 'e', head: head(Math.max(...seqs)), messages: seqs.map(message) };
}

/** A database with the first `stored` messages, and a feed over it that starts at `start`. */
function setUp(stored: number, start = 0) {
  const database = { stored, reads: 0, away: false, delay: () => 0 };
  const readSince = async (_roomId: string, seq: number, limit: number) => {
    database.reads += 1;
    if (database.away) throw new Error('away');
    const last = Math.min(database.stored, seq + limit);
    const snapshot = { head: head(database.stored), messages: numbers(seq + 1, last).map(message) };
    await new Promise((resolve) => setTimeout(resolve, database.delay()));
    return snapshot;
  };
  return { database, feed: createFeed(roomId, head(start), { readSince }, silent) };
}

const seqs = (feed: Feed, after: number) => feed.after(after)?.map(({ seq }) => seq) ?? null;

test('events in order go out at once', () => {
  const { feed, database } = setUp(3);
  for (const seq of [1, 2, 3]) {
    feed.apply(event(seq));
    expect(feed.head).toEqual(head(seq));
  }
  expect(feed.after(0)).toEqual([1, 2, 3].map(message));
  expect(seqs(feed, 2)).toEqual([3]);
  expect(seqs(feed, 3)).toEqual([]);
  expect(database.reads).toBe(0);
});

test('what came before is dropped, wherever it comes from', () => {
  const { feed } = setUp(4, 2);
  feed.apply(event(1, 2));
  feed.apply(event(2, 3));
  feed.apply(event(3));
  feed.apply(event(3, 4));
  expect(seqs(feed, 2)).toEqual([3, 4]);
});

test('what is early waits for its predecessors, and costs no read where they come', async () => {
  const { feed, database } = setUp(3);
  feed.apply(event(3));
  feed.apply(event(2));
  expect(feed.head).toEqual(head(0));
  feed.apply(event(1));
  expect(seqs(feed, 0)).toEqual([1, 2, 3]);
  await vi.advanceTimersByTimeAsync(REPAIRED_MS);
  expect(database.reads).toBe(0);
});

test('a gap whose events never come is filled from the database', async () => {
  const { feed, database } = setUp(4);
  feed.apply(event(1));
  feed.apply(event(4));
  await vi.advanceTimersByTimeAsync(REPAIRED_MS);
  expect(seqs(feed, 0)).toEqual([1, 2, 3, 4]);
  expect(database.reads).toBe(1);
});

test('what arrives while the database is read is not told again by what was read', async () => {
  const { feed, database } = setUp(3);
  database.delay = () => REPAIRED_MS;
  feed.apply(event(3));
  await vi.advanceTimersByTimeAsync(REPAIRED_MS);
  expect(database.reads).toBe(1);
  feed.apply(event(1));
  database.stored = 4;
  feed.apply(event(4));
  await vi.advanceTimersByTimeAsync(3 * REPAIRED_MS);
  expect(seqs(feed, 0)).toEqual([1, 2, 3, 4]);
});

test('an event without rows, too large for the bus, is read from the database', async () => {
  const { feed } = setUp(2);
  feed.apply({ roomId, epoch: 'e', head: head(2), messages: [] });
  await vi.advanceTimersByTimeAsync(REPAIRED_MS);
  expect(feed.after(0)).toEqual([1, 2].map(message));
});

test('a head from the tick that is ahead has the missing fetched; one that is not changes nothing', async () => {
  const { feed, database } = setUp(2);
  feed.reach(head(0));
  await vi.advanceTimersByTimeAsync(REPAIRED_MS);
  expect(database.reads).toBe(0);
  feed.reach(head(2));
  await vi.advanceTimersByTimeAsync(REPAIRED_MS);
  expect(seqs(feed, 0)).toEqual([1, 2]);
});

test('a repair that fails is tried again with the next tick', async () => {
  const { feed, database } = setUp(2);
  database.away = true;
  feed.reach(head(2));
  await vi.advanceTimersByTimeAsync(REPAIRED_MS);
  expect(feed.head).toEqual(head(0));
  await vi.advanceTimersByTimeAsync(10 * REPAIRED_MS);
  expect(database.reads).toBe(1);
  database.away = false;
  feed.reach(head(2));
  await vi.advanceTimersByTimeAsync(REPAIRED_MS);
  expect(seqs(feed, 0)).toEqual([1, 2]);
});

test('who missed more than the ring holds is sent to the database, and is served again from there on', async () => {
  const { feed, database } = setUp(5000);
  feed.apply(event(1, 2, 3));
  feed.reach(head(5000));
  await vi.advanceTimersByTimeAsync(REPAIRED_MS);
  expect(feed.head).toEqual(head(5000));
  for (const position of [0, 2, 3, 4999]) expect(feed.after(position)).toBeNull();
  expect(feed.after(5000)).toEqual([]);
  database.stored = 5001;
  feed.apply(event(5001));
  expect(seqs(feed, 5000)).toEqual([5001]);
});

test('the ring keeps the latest messages and forgets the oldest', () => {
  const { feed } = setUp(5000);
  for (const seq of numbers(1, 5000)) feed.apply(event(seq));
  expect(feed.after(0)).toBeNull();
  expect(seqs(feed, 5000 - 1024)).toEqual(numbers(5000 - 1023, 5000));
});

test('whoever waits is woken by the next message, by the end of the feed and by their own signal', async () => {
  const { feed } = setUp(1);
  const never = new AbortController().signal;
  const next = feed.changed(never);
  feed.apply(event(1));
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

/** mulberry32: the same numbers for the same seed, so that a failure can be repeated. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

test('whatever order, loss and repetition: every reader gets everything once and in order', async () => {
  for (let seed = 1; seed <= 300; seed += 1) {
    const next = random(seed);
    const below = (limit: number) => Math.floor(next() * limit);
    const total = 20 + below(30);
    const { feed, database } = setUp(0);
    database.delay = () => below(REPAIRED_MS);

    // Batches of 1 to 4 messages; a fifth of them is lost, a fifth comes twice, and each comes up to 6 places late.
    const events: { due: number; seqs: number[] }[] = [];
    for (let seq = 1, place = 0; seq <= total; place += 1) {
      const last = Math.min(total, seq + below(4));
      const copies = [0, 1, 1, 1, 2][below(5)] ?? 1;
      for (let copy = 0; copy < copies; copy += 1)
        events.push({ due: place + next() * 6, seqs: numbers(seq, last) });
      seq = last + 1;
    }
    events.sort((a, b) => a.due - b.due);

    const readers = Array.from({ length: 3 }, () => ({ position: 0, got: [] as number[] }));
    const readSome = (least: number): void => {
      for (const reader of readers) {
        if (next() < least) continue;
        const found = feed.after(reader.position);
        // The ring holds more than any of these rooms.
        if (!found) throw new Error(`seed ${seed}: nothing after ${reader.position}`);
        reader.got.push(...found.map(({ seq }) => seq));
        reader.position = feed.head.seq;
      }
    };

    for (const { seqs } of events) {
      // Published after the commit, and whatever is before it is stored by then.
      database.stored = Math.max(database.stored, ...seqs);
      feed.apply(event(...seqs));
      readSome(0.5);
      if (next() < 0.2) await vi.advanceTimersByTimeAsync(below(REPAIRED_MS));
    }
    database.stored = total;
    feed.reach(head(total));
    await vi.advanceTimersByTimeAsync(4 * REPAIRED_MS);
    readSome(0);
    for (const { got } of readers) expect(got, `seed ${seed}`).toEqual(numbers(1, total));
    feed.close();
  }
});
