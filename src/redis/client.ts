import { type Callback, Redis, type RedisOptions, ReplyError } from 'ioredis';
import type { Log } from '../domain/ports.js';
import { parseRedisUrl, type RedisTarget } from '../lib/redis-url.js';
import { watchConnection } from './heartbeat.js';

/** The options of ioredis for an address. Its own reader of URLs accepts some mistakes in silence. */
export function connectionOptions(target: RedisTarget): RedisOptions {
  const { host, port, path, username, password, database, usesTls } = target;
  return {
    ...(path === null ? { host: host ?? '', port } : { path }),
    ...(username === null ? {} : { username }),
    ...(password === null ? {} : { password }),
    ...(usesTls ? { tls: {} } : {}),
    db: database,
    // Older and restricted servers refuse `CLIENT SETINFO`.
    disableClientInfo: true,
  };
}

/**
 * ioredis asks by INFO whether Redis has loaded its data. Some managed servers refuse that command: any answer but "loading"
 * means that Redis is ready.
 */
function acceptRefusedInfo(client: Redis): void {
  const info = client.info.bind(client) as (callback: Callback<string>) => Promise<string>;
  const tolerant = (callback: Callback<string>): Promise<string> =>
    info((error, text) => (error instanceof ReplyError ? callback(null, '') : callback(error, text))).catch(
      () => '',
    );
  Object.assign(client, { info: tolerant });
}

const RECONNECT_DELAY_STEP_MS = 50;
const MAX_RECONNECT_DELAY_MS = 1000;
const CONNECT_TIMEOUT_MS = 5000;
/** Interval of the heartbeat. A dead connection is noticed within two intervals. */
const PING_INTERVAL_MS = 3000;

/** Options of ioredis, and what this client adds to them. */
export interface RedisClientOptions extends RedisOptions {
  /** Interval of the heartbeat, in ms; 3000 by default. Tests use a shorter one. */
  pingIntervalMs?: number | undefined;
  /** Called when the heartbeat destroys a silent connection. */
  onTimeout?: () => void;
  /** Called when a connection is ready that is not the first one. */
  onReconnect?: () => void;
}

/** The clients of this process, by their URL. */
const clientsByUrl = new Map<string, Set<Redis>>();
/** Minimum time between two reconnections because of a replica, in ms: the URL may name one by mistake. */
const REPLICA_RECONNECT_INTERVAL_MS = 10_000;
const reconnectedAt = new Map<string, number>();

/**
 * Opens all connections to a Redis again, at most every 10 s. A primary that has become a replica refuses the writes of one client; to the others
 * it looks healthy, although what they publish reaches nobody else. The address may lead to the new primary by now.
 */
function reconnectAll(url: string): void {
  const now = performance.now();
  if (now - (reconnectedAt.get(url) ?? Number.NEGATIVE_INFINITY) < REPLICA_RECONNECT_INTERVAL_MS) return;
  reconnectedAt.set(url, now);
  for (const client of clientsByUrl.get(url) ?? []) if (client.status === 'ready') client.disconnect(true);
}

/**
 * Creates a client that never stops reconnecting, and logs once per outage instead of once per attempt. Commands are never
 * queued: without a connection they fail at once, and when it is lost, those without a reply fail.
 *
 * @param name identifies the client in the log and in Redis' list of clients.
 */
export function createRedisClient(url: string, name: string, options: RedisClientOptions, log: Log): Redis {
  const { pingIntervalMs = PING_INTERVAL_MS, onTimeout = () => {}, onReconnect = () => {}, ...own } = options;
  const client = new Redis({
    ...connectionOptions(parseRedisUrl(url)),
    connectionName: `parley-${name}`,
    connectTimeout: CONNECT_TIMEOUT_MS,
    retryStrategy: (attempt) => Math.min(attempt * RECONNECT_DELAY_STEP_MS, MAX_RECONNECT_DELAY_MS),
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    // The longest pause between two checks whether Redis has loaded its data. A longer one would look like silence to
    // the heartbeat.
    maxLoadingRetryTime: pingIntervalMs / 2,
    reconnectOnError: ({ message }) => {
      if (!message.startsWith('READONLY')) return false;
      // With the others, and not again for each command that is refused.
      reconnectAll(url);
      return false;
    },
    ...own,
  });
  acceptRefusedInfo(client);
  const siblings = clientsByUrl.get(url) ?? new Set();
  clientsByUrl.set(url, siblings.add(client));
  client.once('end', () => siblings.delete(client));
  watchConnection(client, pingIntervalMs, onTimeout);
  let isDown = false;
  let isOutageLogged = false;
  let wasReady = false;
  // Without a listener, an error of the connection would end the process.
  client.on('error', (error: Error) => {
    if (!isOutageLogged)
      log.warn({ client: name, error: error.message }, 'Redis is unreachable: reconnecting');
    isOutageLogged = true;
    isDown = true;
  });
  client.on('close', () => {
    isDown = true;
  });
  client.on('ready', () => {
    if (isDown) log.info({ client: name }, 'Redis is reachable again');
    isDown = false;
    isOutageLogged = false;
    if (wasReady) onReconnect();
    wasReady = true;
  });
  return client;
}
