import { hash } from 'node:crypto';
import { type RateLimiterAbstract, RateLimiterRes } from 'rate-limiter-flexible';
import { RateLimitedError } from '../domain/errors.js';
import type { LoginAttempt, LoginThrottle } from '../domain/ports.js';

/** The limits of logins. The README's table of limits has the same rows. */
export const LOGIN_LIMITS = {
  /** Tries of an address for a username without a wait. They are forgotten after `duration` seconds, or a success. */
  tries: { points: 3, duration: 3600 },
  /** One try per wait. The wait begins with 1 s and doubles with each failure, up to this number of seconds. */
  waits: { points: 1, duration: 300 },
  /** Tries for a username from all addresses; beyond it, only addresses that have tries left may try. */
  byUsername: { points: 10, duration: 300 },
};

type CreateLimiter = (
  name: string,
  limit: { readonly points: number; readonly duration: number },
) => RateLimiterAbstract;

export function createLoginThrottle(createLimiter: CreateLimiter): LoginThrottle {
  const tries = createLimiter('loginTries', LOGIN_LIMITS.tries);
  const waits = createLimiter('loginWaits', LOGIN_LIMITS.waits);
  const byUsername = createLimiter('loginByUsername', LOGIN_LIMITS.byUsername);

  /** Whether the username has been tried less often than its limit, with this try. */
  async function countUsername({ usernameKey }: LoginAttempt): Promise<number> {
    return millisecondsToWait(byUsername.consume(usernameKey));
  }

  return {
    async count(attempt) {
      const key = keyOf(attempt);
      const usernameWait = await countUsername(attempt);
      const before = (await tries.get(key))?.consumedPoints ?? 0;
      if (before < LOGIN_LIMITS.tries.points && (await millisecondsToWait(tries.consume(key))) === 0) return;
      if (usernameWait > 0) throw new RateLimitedError(usernameWait);
      const failures = Math.max(0, before - LOGIN_LIMITS.tries.points);
      const wait = await millisecondsToWait(
        waits.consume(key, 1, { customDuration: Math.min(LOGIN_LIMITS.waits.duration, 2 ** failures) }),
      );
      if (wait > 0) throw new RateLimitedError(wait);
      await tries.penalty(key);
    },

    async takeBack(attempt) {
      const key = keyOf(attempt);
      await Promise.all([tries.reward(key), waits.delete(key), byUsername.reward(attempt.usernameKey)]);
    },

    async reset(attempt) {
      const key = keyOf(attempt);
      await Promise.all([tries.delete(key), waits.delete(key), byUsername.delete(attempt.usernameKey)]);
    },
  };
}

/** By a hash, so that the length of a name does not matter, and no part of it can be taken for the other one. */
function keyOf({ usernameKey, address }: LoginAttempt): string {
  return hash('sha256', JSON.stringify([usernameKey, address]), 'base64url');
}

/** 0 if the limit allows it, otherwise the time until it does. */
async function millisecondsToWait(consumed: Promise<RateLimiterRes>): Promise<number> {
  try {
    await consumed;
    return 0;
  } catch (error) {
    if (error instanceof RateLimiterRes) return Math.max(1, error.msBeforeNext);
    throw error;
  }
}
