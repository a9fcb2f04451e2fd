import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';

/*
 * The module remembers how long its last flush took, so each test imports a fresh one. The clock advances only when a test
 * advances it.
 */

let flushSoon: typeof import('../../../../src/transport/websocket/flush.js').flushSoon;
let flushThisTurn: typeof import('../../../../src/transport/websocket/flush.js').flushThisTurn;
let clock: number;
let flushed: string[];
/** The timers that were set, with their callbacks. */
let pauses: { readonly ms: number; readonly end: () => void }[];

beforeEach(async () => {
  vi.resetModules();
  ({ flushSoon, flushThisTurn } = await import('../../../../src/transport/websocket/flush.js'));
  [clock, flushed, pauses] = [1000, [], []];
  vi.spyOn(performance, 'now').mockImplementation(() => clock);
  vi.spyOn(globalThis, 'setTimeout').mockImplementation(((end: () => void, ms: number) => {
    pauses.push({ ms, end });
  }) as unknown as typeof setTimeout);
});

afterEach(() => {
  vi.restoreAllMocks();
});

/** An outbox whose flush takes `tookMs`. */
const outbox = (name: string, tookMs = 0) => ({
  flush(): void {
    flushed.push(name);
    clock += tookMs;
  },
});

test('all outboxes are flushed together at the end of the turn, in order', async () => {
  flushSoon(outbox('a'));
  flushSoon(outbox('b'));
  expect(flushed).toEqual([]);
  await nextTurn();
  expect(flushed).toEqual(['a', 'b']);
  // The next turn starts a new batch.
  flushSoon(outbox('c'));
  await nextTurn();
  expect(flushed).toEqual(['a', 'b', 'c']);
  expect(pauses).toEqual([]);
});

test.each([
  [8, 0, 16],
  [8, 3, 13],
  [300, 0, 20],
])(
  'after a flush of %i ms that ended %i ms ago, the next one waits %i ms and includes all outboxes until then',
  async (tookMs, agoMs, pauseMs) => {
    flushSoon(outbox('slow', tookMs));
    await nextTurn();
    clock += agoMs;
    flushSoon(outbox('a'));
    await nextTurn();
    flushSoon(outbox('b'));
    await nextTurn();
    expect(flushed).toEqual(['slow']);
    expect(pauses.map(({ ms }) => ms)).toEqual([pauseMs]);
    pauses[0]?.end();
    expect(flushed).toEqual(['slow', 'a', 'b']);
  },
);

test('a flush after the end of the pause is not delayed', async () => {
  flushSoon(outbox('slow', 8));
  await nextTurn();
  clock += 16;
  flushSoon(outbox('a'));
  await nextTurn();
  expect(flushed).toEqual(['slow', 'a']);
});

test('responses do not wait for the pause', async () => {
  flushSoon(outbox('slow', 8));
  await nextTurn();
  flushSoon(outbox('delivery'));
  flushThisTurn(outbox('response'));
  flushThisTurn(outbox('another'));
  await nextTurn();
  expect(flushed).toEqual(['slow', 'response', 'another']);
});
