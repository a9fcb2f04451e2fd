import { Redis, type RedisOptions } from 'ioredis';
import type { Log } from '../domain/ports.js';

const RECONNECT_STEP_MS = 50;
const LONGEST_RECONNECT_MS = 1000;

/** A client that keeps reconnecting for ever, and says so once per outage instead of once per try. */
export function createRedisClient(url: string, name: string, options: RedisOptions, log: Log): Redis {
  const client = new Redis(url, {
    connectionName: `parley-${name}`,
    connectTimeout: 5_000,
    retryStrategy: (attempt) => Math.min(attempt * RECONNECT_STEP_MS, LONGEST_RECONNECT_MS),
    ...options,
  });
  let away = false;
  // Without a listener, an error of the connection would end the process.
  client.on('error', (error: Error) => {
    if (!away) log.warn({ client: name, error: error.message }, 'Redis is away: trying again');
    away = true;
  });
  client.on('close', () => {
    away = true;
  });
  client.on('ready', () => {
    if (away) log.info({ client: name }, 'Redis is there again');
    away = false;
  });
  return client;
}
