import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Log } from '../../../../src/domain/ports.js';
import { createActivityWriter } from '../../../../src/domain/recent/activity.js';
import type { ChangeLog, RecentChanges } from '../../../../src/domain/recent/changes.js';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const log: Log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

const recent = (oldestRunning: number, hasChanges: boolean): RecentChanges => ({
  epoch: '0',
  isMoved: false,
  snapshot: '',
  oldestRunning: String(oldestRunning),
  incarnation: '',
  heads: new Map(hasChanges ? [['room', { seq: 1, rev: 1 }]] : []),
  profiles: [],
  endedUserIds: [],
});

function setUp(...results: Awaited<ReturnType<ChangeLog['applyActivity']>>[]) {
  const applyActivity = vi.fn(async (_range: { since: string; forget: string }) => {
    const result = results.shift();
    if (!result) throw new Error('away');
    return result;
  });
  const writer = createActivityWriter({ applyActivity }, log);
  return { writer, ranges: () => applyActivity.mock.calls.map(([range]) => range) };
}

test('the first tick applies what a crash has left, later ones only what has changed', async () => {
  const { writer, ranges } = setUp({ appliedTo: '7', updated: 1 }, { appliedTo: '9', updated: 1 });
  await writer.apply(recent(5, false));
  await writer.apply(recent(6, false));
  await writer.apply(recent(8, true));
  await writer.apply(recent(9, false));
  expect(ranges()).toEqual([
    { since: '0', forget: '0' },
    { since: '7', forget: '0' },
  ]);
});

test('goes on as long as rooms are left, and stops if others have locked them', async () => {
  const { writer, ranges } = setUp(
    { appliedTo: null, updated: 50 },
    { appliedTo: null, updated: 0 },
    { appliedTo: '9', updated: 1 },
  );
  await writer.apply(recent(5, true));
  expect(ranges()).toHaveLength(2);
  // The rooms that were left are tried again, although nothing has changed.
  await writer.apply(recent(6, false));
  expect(ranges().map(({ since }) => since)).toEqual(['0', '0', '0']);
});

test('a failure is tried again at the next tick', async () => {
  const { writer, ranges } = setUp();
  await writer.apply(recent(5, true));
  await writer.apply(recent(6, false));
  expect(ranges()).toHaveLength(2);
});

test('changes are forgotten after a minute', async () => {
  const { writer, ranges } = setUp(...Array.from({ length: 100 }, () => ({ appliedTo: '9', updated: 1 })));
  for (let second = 0; second < 90; second += 1) {
    await writer.apply(recent(1000 + second, true));
    await vi.advanceTimersByTimeAsync(1000);
  }
  const forgotten = ranges().map(({ forget }) => Number(forget));
  expect(forgotten[59]).toBe(0);
  // At most what was the oldest running a minute ago, and not much less.
  expect(forgotten[89]).toBeLessThanOrEqual(1029);
  expect(forgotten[89]).toBeGreaterThan(1015);
});
