import { pino } from 'pino';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { LimitedAction } from '../../../src/domain/ports.js';
import { ACTION_LIMITS, createLimits } from '../../../src/redis/rate-limiter.js';

/** As documented: points per number of seconds. */
const documented: Record<LimitedAction, [points: number, seconds: number]> = {
  signUp: [100, 600],
  loginByAddress: [100, 600],
  findUser: [120, 60],
  updateProfile: [60, 60],
  createRoom: [60, 60],
  joinRoom: [120, 60],
  sendMessage: [1000, 10],
  anonymousOperation: [600, 60],
  operationCost: [100_000, 10],
};
/** Object.keys widens the keys to string. */
const table = (Object.keys(documented) as LimitedAction[]).map(
  (action) => [action, ...documented[action]] as const,
);

const limiter = () => createLimits(null, pino({ level: 'silent' })).actions;

/** Returns how many of `calls` consecutive calls are allowed. */
async function passed(calls: number, call: () => Promise<void>): Promise<number> {
  const results = await Promise.allSettled(Array.from({ length: calls }, call));
  return results.filter(({ status }) => status === 'fulfilled').length;
}

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

test('the table has a row for every limit', () => {
  expect(Object.keys(ACTION_LIMITS).sort()).toEqual(Object.keys(documented).sort());
});

test.each(table)('%s allows %i actions in %i s, and no more', async (action, points, seconds) => {
  const { consume } = limiter();
  expect(await passed(points, () => consume(action, 'alice'))).toBe(points);

  await vi.advanceTimersByTimeAsync(seconds * 1000 - 1);
  await expect(consume(action, 'alice')).rejects.toMatchObject({ name: 'RateLimitedError', retryAfterMs: 1 });
  await vi.advanceTimersByTimeAsync(1);
  expect(await passed(points + 1, () => consume(action, 'alice'))).toBe(points);
});

test.each(table)(
  '%s counts each key separately, and separately from other actions',
  async (action, points) => {
    const { consume } = limiter();
    expect(await passed(points + 1, () => consume(action, 'alice'))).toBe(points);

    expect(await passed(points + 1, () => consume(action, 'bob'))).toBe(points);
    for (const [other] of table)
      if (other !== action) await expect(consume(other, 'alice')).resolves.toBeUndefined();
  },
);

test('an action of several points counts as that many', async () => {
  const { consume } = limiter();
  await consume('operationCost', 'alice', 60_000);
  await consume('operationCost', 'alice', 0);
  await expect(consume('operationCost', 'alice', 40_001)).rejects.toMatchObject({ name: 'RateLimitedError' });
  await expect(consume('operationCost', 'bob', 40_001)).resolves.toBeUndefined();
});
