import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';

/*
 * The module remembers how long its last flush took, so each test has its own. The clock goes on only where a test has it.
 */

let flushSoon: typeof import('../../../../src/transport/websocket/flush.js').flushSoon;
let flushThisTurn: typeof import('../../../../src/transport/websocket/flush.js').flushThisTurn;
let clock: number;
let flushed: string[];
/** The pauses that were asked for, in ms, and what ends them. */
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

/** An outbox whose flush takes so many ms. */
const outbox = (name: string, tookMs = 0) => ({
  flush(): void {
    flushed.push(name);
    clock += tookMs;
  },
});

test('all who want it are flushed in one go at the end of the turn, in their order', async () => {
  flushSoon(outbox('a'));
  flushSoon(outbox('b'));
  expect(flushed).toEqual([]);
  await nextTurn();
  expect(flushed).toEqual(['a', 'b']);
  // Each time anew.
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
  'after a flush of %i ms, %i ms ago, the next one waits for %i ms, and takes all who want it by then',
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

test('who comes later than a pause would have been waits for nothing', async () => {
  flushSoon(outbox('slow', 8));
  await nextTurn();
  clock += 16;
  flushSoon(outbox('a'));
  await nextTurn();
  expect(flushed).toEqual(['slow', 'a']);
});

test('answers do not wait for a pause', async () => {
  flushSoon(outbox('slow', 8));
  await nextTurn();
  flushSoon(outbox('delivery'));
  flushThisTurn(outbox('answer'));
  flushThisTurn(outbox('another'));
  await nextTurn();
  expect(flushed).toEqual(['slow', 'answer', 'another']);
});
