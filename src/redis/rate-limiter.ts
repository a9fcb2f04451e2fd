import {
  type RateLimiterAbstract,
  RateLimiterMemory,
  RateLimiterRedis,
  RateLimiterRes,
} from 'rate-limiter-flexible';
import { RateLimitedError } from '../domain/errors.js';
import type { LimitedAction, Log, RateLimiter } from '../domain/ports.js';
import { createRedisClient } from './client.js';

/** Timeout of a command, in ms; after it, this instance counts alone. */
const COMMAND_TIMEOUT_MS = 500;

interface Limit {
  /** Number of actions allowed per key within `duration`. */
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
  loginByUsername: { points: 10, duration: 300, shared: true },
  findUser: { points: 120, duration: 60, shared: true },
  updateProfile: { points: 60, duration: 60, shared: true },
  createRoom: { points: 60, duration: 60, shared: true },
  joinRoom: { points: 120, duration: 60, shared: true },
  sendMessage: { points: 1000, duration: 10, shared: false },
};

/** Allows everything; used if `RATE_LIMITS` is off. */
export const noRateLimits: RateLimiter = { consume: async () => {}, reset: async () => {} };

/**
 * Creates the rate limiter. With Redis, shared limits hold for all instances together; while Redis is unreachable, and
 * without Redis, each instance counts alone.
 *
 * @param redis null counts in this process.
 */
export function createRateLimiter(
  redis: { url: string; prefix: string } | null,
  log: Log,
): RateLimiter & { close(): void } {
  const client = redis && createRedisClient(redis.url, 'limits', { commandTimeout: COMMAND_TIMEOUT_MS }, log);
  // The cast restores the type of the keys, which Object.entries widens to string.
  const limiters = new Map(
    (Object.entries(ACTION_LIMITS) as [LimitedAction, Limit][]).map(
      ([action, { points, duration, shared }]) => {
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
      },
    ),
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
