import {
  type RateLimiterAbstract,
  RateLimiterMemory,
  RateLimiterRedis,
  RateLimiterRes,
} from 'rate-limiter-flexible';
import { RateLimitedError } from '../domain/errors.js';
import type { LimitedAction, Log, LoginThrottle, RateLimiter } from '../domain/ports.js';
import { throttleLog } from '../lib/throttle-log.js';
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
  isShared: () => true,
  close() {},
};

export interface Limits {
  readonly actions: RateLimiter;
  readonly logins: LoginThrottle;
  /** Whether limits are counted for all instances together, or there is only one. */
  isShared(): boolean;
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

  const fallback = createFallback(log);
  function createLimiter(name: string, { points, duration, shared }: Limit): RateLimiterAbstract {
    if (!client || !shared) return new RateLimiterMemory({ points, duration });
    const local = new Fallback({ points, duration }, fallback.used);
    return new SharedLimiter(
      {
        storeClient: client,
        keyPrefix: `${redis.prefix}:limit:${name}`,
        points,
        duration,
        insuranceLimiter: local,
      },
      local,
    );
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
    isShared: fallback.isRare,
    close: () => client?.disconnect(),
  };
}

/** Counts in this process, while Redis does not. */
class Fallback extends RateLimiterMemory {
  constructor(
    options: { readonly points: number; readonly duration: number },
    private readonly onUse: () => void,
  ) {
    super(options);
  }

  override consume(...args: Parameters<RateLimiterMemory['consume']>): Promise<RateLimiterRes> {
    this.onUse();
    return super.consume(...args);
  }
}

/** Counts in Redis. What was counted in this process meanwhile is forgotten together with it. */
class SharedLimiter extends RateLimiterRedis {
  constructor(
    options: ConstructorParameters<typeof RateLimiterRedis>[0],
    private readonly local: Fallback,
  ) {
    super(options);
  }

  override async delete(...args: Parameters<RateLimiterRedis['delete']>): Promise<boolean> {
    await this.local.delete(...args);
    return super.delete(...args);
  }
}

/** How long after the last fallback limits count as not shared, in ms. */
const FALLBACK_MEMORY_MS = 10_000;
const FALLBACK_LOG_INTERVAL_MS = 60_000;

/** Notices that Redis does not count: it is away, or refuses the commands (an access control list, a full memory). */
function createFallback(log: Log) {
  const warn = throttleLog((fields, message) => log.warn(fields, message), FALLBACK_LOG_INTERVAL_MS);
  let usedAt = Number.NEGATIVE_INFINITY;
  return {
    used(): void {
      usedAt = performance.now();
      warn({}, 'Redis does not count rate limits: each instance counts alone');
    },
    isRare: (): boolean => performance.now() - usedAt > FALLBACK_MEMORY_MS,
  };
}
