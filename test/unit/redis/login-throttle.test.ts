import { pino } from 'pino';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { LOGIN_LIMITS } from '../../../src/redis/login-throttle.js';
import { createLimits } from '../../../src/redis/rate-limiter.js';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const newThrottle = () => createLimits(null, pino({ level: 'silent' })).logins;
const attempt = (address: string, usernameKey = 'alice') => ({ address, usernameKey });

/** Resolves to 0 if the attempt is allowed, otherwise to the wait in ms. */
const waitOf = (counted: Promise<void>): Promise<number> =>
  counted.then(
    () => 0,
    (error: { retryAfterMs: number }) => error.retryAfterMs,
  );

test('after three tries, the waits double up to the longest one', async () => {
  const throttle = newThrottle();
  for (let tries = 0; tries < 3; tries += 1) await throttle.count(attempt('a'));
  const waits: number[] = [];
  for (let tries = 0; tries < 11; tries += 1) {
    // The bound per username is not part of this test.
    await vi.advanceTimersByTimeAsync(LOGIN_LIMITS.byUsername.duration * 1000);
    await throttle.count(attempt('a'));
    waits.push(await waitOf(throttle.count(attempt('a'))));
  }
  expect(waits).toEqual([1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300].map((seconds) => seconds * 1000));
});

test('a refused attempt does not prolong the wait', async () => {
  const throttle = newThrottle();
  for (let tries = 0; tries < 4; tries += 1) await throttle.count(attempt('a'));
  for (let tries = 0; tries < 50; tries += 1)
    expect(await waitOf(throttle.count(attempt('a')))).toBeGreaterThan(0);
  await vi.advanceTimersByTimeAsync(LOGIN_LIMITS.byUsername.duration * 1000);
  expect(await waitOf(throttle.count(attempt('a')))).toBe(0);
  expect(await waitOf(throttle.count(attempt('a')))).toBe(2000);
});

test('a hundred attempts at once are four tries', async () => {
  const throttle = newThrottle();
  const waits = await Promise.all(Array.from({ length: 100 }, () => waitOf(throttle.count(attempt('a')))));
  expect(waits.filter((wait) => wait === 0).length).toBeLessThanOrEqual(4);
});

test('an address without a failure has three tries, whatever other addresses do', async () => {
  const throttle = newThrottle();
  for (let address = 0; address < 50; address += 1)
    for (let tries = 0; tries < 5; tries += 1) await waitOf(throttle.count(attempt(`attacker ${address}`)));
  for (let tries = 0; tries < 3; tries += 1) expect(await waitOf(throttle.count(attempt('owner')))).toBe(0);
  expect(await waitOf(throttle.count(attempt('owner')))).toBeGreaterThan(0);
  expect(await waitOf(throttle.count(attempt('attacker 1', 'bob')))).toBe(0);
});

test('a success forgets the failures, and an attempt that was not checked does not count', async () => {
  const throttle = newThrottle();
  for (let tries = 0; tries < 3; tries += 1) await throttle.count(attempt('a'));
  await throttle.reset(attempt('a'));
  for (let tries = 0; tries < 2; tries += 1) await throttle.count(attempt('a'));
  for (let tries = 0; tries < 20; tries += 1) {
    await throttle.count(attempt('a'));
    await throttle.takeBack(attempt('a'));
  }
  expect(await waitOf(throttle.count(attempt('a')))).toBe(0);
});
