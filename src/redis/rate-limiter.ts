import {
  type RateLimiterAbstract,
  RateLimiterMemory,
  RateLimiterRedis,
  RateLimiterRes,
} from 'rate-limiter-flexible';
import { RateLimitedError } from '../domain/errors.js';
import type { LimitedAction, Log, LoginThrottle, RateLimiter } from '../domain/ports.js';
import { createRedisClient } from './client.js';
import { createLoginThrottle } from './login-throttle.js';

/** Timeout of a command, in ms; after it, this instance counts alone. */
const COMMAND_TIMEOUT_MS = 500;

interface Limit {
  /** Number of points per key within `duration`. */
  readonly points: number;
  /** Length of the window, in seconds. */
  readonly duration: number;
  /** Whether all instances count together in Redis. False for actions too frequent for a round trip each. */
  readonly shared: boolean;
}

/** The rate limit of each action. The README's table of limits has the same rows. */
export const ACTION_LIMITS: Record<LimitedAction, Limit> = {
  signUp: { points: 100, duration: 600, shared: true },
  loginByAddress: { points: 100, duration: 600, shared: true },
  findUser: { points: 120, duration: 60, shared: true },
  updateProfile: { points: 60, duration: 60, shared: true },
  createRoom: { points: 60, duration: 60, shared: true },
  joinRoom: { points: 120, duration: 60, shared: true },
  sendMessage: { points: 1000, duration: 10, shared: false },
  anonymousOperation: { points: 600, duration: 60, shared: false },
  operationCost: { points: 100_000, duration: 10, shared: false },
};

/** Allows everything; used if `RATE_LIMITS` is off. */
export const noRateLimits: Limits = {
  actions: { consume: async () => {} },
  logins: { count: async () => {}, takeBack: async () => {}, reset: async () => {} },
  close() {},
};

export interface Limits {
  readonly actions: RateLimiter;
  readonly logins: LoginThrottle;
  close(): void;
}

/**
 * Creates the rate limits. With Redis, shared limits hold for all instances together; while Redis is unreachable, and
 * without Redis, each instance counts alone.
 *
 * @param redis null counts in this process.
 */
export function createLimits(redis: { url: string; prefix: string } | null, log: Log): Limits {
  const client = redis && createRedisClient(redis.url, 'limits', { commandTimeout: COMMAND_TIMEOUT_MS }, log);

  function createLimiter(name: string, { points, duration, shared }: Limit): RateLimiterAbstract {
    const local = new RateLimiterMemory({ points, duration });
    if (!client || !shared) return local;
    return new RateLimiterRedis({
      storeClient: client,
      keyPrefix: `${redis.prefix}:limit:${name}`,
      points,
      duration,
      insuranceLimiter: local,
    });
  }

  // The cast restores the type of the keys, which Object.entries widens to string.
  const limiters = new Map(
    (Object.entries(ACTION_LIMITS) as [LimitedAction, Limit][]).map(([action, limit]) => [
      action,
      createLimiter(action, limit),
    ]),
  );

  return {
    actions: {
      async consume(action, key, points = 1) {
        try {
          await limiters.get(action)?.consume(key, points);
        } catch (error) {
          if (error instanceof RateLimiterRes) throw new RateLimitedError(error.msBeforeNext);
          throw error;
        }
      },
    },
    logins: createLoginThrottle((name, limit) => createLimiter(name, { ...limit, shared: true })),
    close: () => client?.disconnect(),
  };
}
