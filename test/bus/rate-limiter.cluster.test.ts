import { randomBytes } from 'node:crypto';
import { Redis } from 'ioredis';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { LimitedAction } from '../../src/domain/ports.js';
import { LOGIN_LIMITS } from '../../src/redis/login-throttle.js';
import { ACTION_LIMITS, createLimits } from '../../src/redis/rate-limiter.js';
import { request, signUp } from '../helpers/client.js';
import { startParley } from '../helpers/parley.js';
import { type PrivateRedis, startRedis } from '../helpers/redis-server.js';

/* While Redis is unavailable, each instance counts on its own: users are neither locked out nor unlimited. */

/** Object.keys widens the keys to string. */
const actions = Object.keys(ACTION_LIMITS) as LimitedAction[];
const shared = actions.filter((action) => ACTION_LIMITS[action].shared);
const log = pino({ level: 'silent' });

let redis: PrivateRedis;
let admin: Redis;

beforeAll(async () => {
  redis = await startRedis();
  admin = new Redis(redis.url);
  // The client reconnects by itself.
  admin.on('error', () => {});
});

afterAll(async () => {
  admin.disconnect();
  await redis.stop();
});

const newPrefix = () => `test-${randomBytes(6).toString('hex')}`;
const newLimiter = (prefix = newPrefix()) => createLimits({ url: redis.url, prefix }, log);
type Limiter = ReturnType<typeof newLimiter>;

/** A limiter that counts in Redis: until it is connected, it counts locally. */
async function connectedLimiter(prefix = newPrefix()): Promise<Limiter> {
  const limiter = newLimiter(prefix);
  await expect
    .poll(async () => {
      await limiter.actions.consume('findUser', 'anyone');
      return admin.exists(`${prefix}:limit:findUser:anyone`);
    })
    .toBe(1);
  return limiter;
}

/** Returns how many of `calls` concurrent calls are allowed. */
async function passed(limiter: Limiter, action: LimitedAction, calls: number): Promise<number> {
  const results = await Promise.allSettled(
    Array.from({ length: calls }, () => limiter.actions.consume(action, 'alice')),
  );
  return results.filter(({ status }) => status === 'fulfilled').length;
}

async function expectToLimit(limiter: Limiter, action: LimitedAction): Promise<void> {
  const { points } = ACTION_LIMITS[action];
  expect(await passed(limiter, action, points + 1)).toBe(points);
  await expect(limiter.actions.consume(action, 'alice')).rejects.toMatchObject({ name: 'RateLimitedError' });
}

describe('with Redis', () => {
  test.each(actions)('with Redis, %s is allowed up to its limit', async (action) => {
    const prefix = newPrefix();
    const limiter = await connectedLimiter(prefix);

    await expectToLimit(limiter, action);

    expect(await admin.exists(`${prefix}:limit:${action}:alice`)).toBe(shared.includes(action) ? 1 : 0);
    limiter.close();
  });
});

describe('while Redis is unavailable', () => {
  beforeAll(() => redis.kill());
  afterAll(() => redis.restart());

  test.each(actions)('while Redis is unavailable, %s is still allowed up to its limit', async (action) => {
    const limiter = newLimiter();

    await expectToLimit(limiter, action);

    limiter.close();
  });
});

test('while Redis hangs, a limit still allows its number of actions', async () => {
  const limiter = await connectedLimiter();
  await redis.kill('SIGSTOP');

  await expectToLimit(limiter, 'joinRoom');

  await redis.kill('SIGCONT');
  limiter.close();
});

test('login works after Redis was killed, and is still limited', async () => {
  const parley = await startParley({ env: { RATE_LIMITS: 'on', REDIS_URL: redis.url } });
  const { username } = await signUp(parley.url);
  const login = async (password: string) =>
    (
      await request<{ login: { __typename: string } }>(
        parley.url,
        'mutation ($input: LoginInput!) { login(input: $input) { __typename } }',
        { input: { username, password } },
      )
    ).data?.login.__typename;
  await redis.kill();

  expect(await login('correct horse battery')).toBe('AuthPayload');
  const { points } = LOGIN_LIMITS.tries;
  // One more try is allowed at once: then the waits begin.
  const guesses = await Promise.all(Array.from({ length: points + 3 }, () => login('a wrong password')));
  expect(guesses.filter((type) => type === 'InvalidCredentialsError')).toHaveLength(points + 1);
  expect(guesses.filter((type) => type === 'RateLimitedError')).toHaveLength(2);
  expect(await login('correct horse battery')).toBe('RateLimitedError');

  await parley.stop();
  await redis.restart();
});

test('instances count together again once Redis is back', async () => {
  const prefix = newPrefix();
  const [here, there] = await Promise.all([connectedLimiter(prefix), connectedLimiter(prefix)]);
  await redis.kill();
  expect(await passed(here, 'joinRoom', ACTION_LIMITS.joinRoom.points)).toBe(ACTION_LIMITS.joinRoom.points);
  expect(await passed(there, 'joinRoom', 1)).toBe(1);
  await redis.restart();

  for (const action of shared) {
    // An instance that is not connected yet counts alone, and lets it pass.
    const elsewhere = async () => {
      await passed(here, action, ACTION_LIMITS[action].points + 1);
      return passed(there, action, 1);
    };
    await expect.poll(elsewhere, { timeout: 5000 }).toBe(0);
  }
  here.close();
  there.close();
});
