import { Redis, type RedisOptions } from 'ioredis';
import type { Log } from '../domain/ports.js';
import { watchConnection } from './heartbeat.js';

const RECONNECT_DELAY_STEP_MS = 50;
const MAX_RECONNECT_DELAY_MS = 1000;
/** How often a connection is asked whether it still stands, in ms; a dead one is noticed after twice that at most. */
const PING_INTERVAL_MS = 3000;

export interface RedisClientOptions extends RedisOptions {
  /** In ms; tests have less patience than `PING_INTERVAL_MS`. */
  pingIntervalMs?: number | undefined;
  /** A connection was torn down since nothing came over it. */
  onTimeout?: () => void;
  /** A connection stands that is not the first. */
  onReconnect?: () => void;
}

/**
 * A client that keeps reconnecting for ever, and says so once per outage instead of once per try. It keeps nothing for
 * later: a command fails as soon as its connection is gone, or at once where there is none.
 */
export function createRedisClient(url: string, name: string, options: RedisClientOptions, log: Log): Redis {
  const { pingIntervalMs = PING_INTERVAL_MS, onTimeout = () => {}, onReconnect = () => {}, ...own } = options;
  const client = new Redis(url, {
    connectionName: `parley-${name}`,
    connectTimeout: 5_000,
    retryStrategy: (attempt) => Math.min(attempt * RECONNECT_DELAY_STEP_MS, MAX_RECONNECT_DELAY_MS),
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    // A Redis that loads its data is asked so often whether it is ready; longer, and it would seem to be silent.
    maxLoadingRetryTime: pingIntervalMs / 2,
    ...own,
  });
  watchConnection(client, pingIntervalMs, onTimeout);
  let away = false;
  let said = false;
  let stoodBefore = false;
  // Without a listener, an error of the connection would end the process.
  client.on('error', (error: Error) => {
    if (!said) log.warn({ client: name, error: error.message }, 'Redis is away: trying again');
    said = true;
    away = true;
  });
  client.on('close', () => {
    away = true;
  });
  client.on('ready', () => {
    if (away) log.info({ client: name }, 'Redis is there again');
    away = false;
    said = false;
    if (stoodBefore) onReconnect();
    stoodBefore = true;
  });
  return client;
}
