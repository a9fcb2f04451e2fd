import type { Bus } from '../domain/bus.js';
import type { Log } from '../domain/ports.js';
import { describeRedis, parseRedisUrl } from '../lib/redis-url.js';
import { createLocalBus } from './local.js';
import { createRedisBus } from './redis.js';

/** A Redis, and what all keys and channels of this deployment begin with. */
export interface RedisAddress {
  readonly url: string;
  readonly prefix: string;
}

/**
 * Creates the bus through Redis or, without one, within this process.
 *
 * @param key of this deployment's signatures; see `auth/keys.ts`.
 */
export function createBus(redis: RedisAddress | null, key: Buffer, log: Log): Bus {
  return redis ? createRedisBus({ ...redis, key, log }) : createLocalBus(log);
}

/** The bus in use, for the log. Without secrets. */
export function describeBus(redis: RedisAddress | null): string {
  return redis === null ? 'in-process' : `Redis at ${describeRedis(parseRedisUrl(redis.url))}`;
}
