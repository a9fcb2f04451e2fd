import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createBackoff } from '../../../packages/client/src/backoff.js';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

/** How long the next attempt has to wait, in ms. */
async function pauseOf(backoff: ReturnType<typeof createBackoff>): Promise<number> {
  const start = Date.now();
  let isDue = false;
  void backoff.wait().then(() => {
    isDue = true;
  });
  await vi.advanceTimersByTimeAsync(0);
  while (!isDue) await vi.advanceTimersToNextTimerAsync();
  return Date.now() - start;
}

test('should not wait before anything failed', async () => {
  expect(await pauseOf(createBackoff())).toBe(0);
});

test.each([
  [1, [1000, 2000, 4000, 8000, 10_000, 10_000]],
  [0, [250, 500, 1000, 2000, 2500, 2500]],
])('should double the pause up to its cap (random %d)', async (random, pauses) => {
  vi.spyOn(Math, 'random').mockReturnValue(random);
  const backoff = createBackoff();
  for (const pause of pauses) {
    backoff.fail();
    expect(await pauseOf(backoff)).toBe(pause);
  }
});

test('should keep to a cap of its own, also after many failures', async () => {
  vi.spyOn(Math, 'random').mockReturnValue(1);
  const backoff = createBackoff(300);
  for (let count = 0; count < 2000; count += 1) backoff.fail();

  expect(await pauseOf(backoff)).toBe(300);
});

test('should end the pause at once and start again with a short one after a reset', async () => {
  vi.spyOn(Math, 'random').mockReturnValue(1);
  const backoff = createBackoff();
  backoff.fail();
  backoff.fail();
  const pause = pauseOf(backoff);
  backoff.reset();
  expect(await pause).toBe(0);
  expect(backoff.isFailing).toBe(false);

  backoff.fail();
  expect(await pauseOf(backoff)).toBe(1000);
});
