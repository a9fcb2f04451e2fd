import {
  type RateLimiterAbstract,
  RateLimiterMemory,
  RateLimiterRedis,
  RateLimiterRes,
} from 'rate-limiter-flexible';
import { RateLimitedError } from '../domain/errors.js';
import type { LimitedAction, Log, RateLimiter } from '../domain/ports.js';
import { createRedisClient } from './client.js';

interface Limit {
  /** So many times … */
  readonly points: number;
  /** … within so many seconds. */
  readonly duration: number;
  /** Counted for all instances together, where there is Redis; the others are too frequent to ask it each time. */
  readonly shared: boolean;
}

/** The README's table of limits has the same rows. */
export const LIMITS: Record<LimitedAction, Limit> = {
  signUp: { points: 100, duration: 600, shared: true },
  loginByAddress: { points: 100, duration: 600, shared: true },
  loginByUsername: { points: 10, duration: 300, shared: true },
  findUser: { points: 120, duration: 60, shared: true },
  updateProfile: { points: 60, duration: 60, shared: true },
  createRoom: { points: 60, duration: 60, shared: true },
  joinRoom: { points: 120, duration: 60, shared: true },
  sendMessage: { points: 1000, duration: 10, shared: false },
};

export const noRateLimits: RateLimiter = { consume: async () => {}, reset: async () => {} };

/** Counts here, and for all instances in Redis where there is one; while Redis is away, each instance counts alone. */
export function createRateLimiter(
  redis: { url: string; prefix: string } | null,
  log: Log,
): RateLimiter & { close(): void } {
  const client = redis && createRedisClient(redis.url, 'limits', { commandTimeout: 500 }, log);
  // Object.entries widens the keys of LIMITS to string.
  const limiters = new Map(
    (Object.entries(LIMITS) as [LimitedAction, Limit][]).map(([action, { points, duration, shared }]) => {
      const local = new RateLimiterMemory({ points, duration });
      const limiter: RateLimiterAbstract =
        client && shared
          ? new RateLimiterRedis({
              storeClient: client,
              keyPrefix: `${redis.prefix}:limit:${action}`,
              points,
              duration,
              insuranceLimiter: local,
            })
          : local;
      return [action, limiter];
    }),
  );

  return {
    async consume(action, key) {
      try {
        await limiters.get(action)?.consume(key);
      } catch (error) {
        if (error instanceof RateLimiterRes) throw new RateLimitedError(error.msBeforeNext);
        throw error;
      }
    },
    async reset(action, key) {
      await limiters.get(action)?.delete(key);
    },
    close: () => client?.disconnect(),
  };
}
