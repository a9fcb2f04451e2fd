import { Redis } from 'ioredis';
import type { Log } from '../domain/ports.js';
import { parseRedisUrl } from '../lib/redis-url.js';
import { StartupError } from '../startup-error.js';
import { connectionOptions } from './client.js';

const CONNECT_TIMEOUT_MS = 3000;

/**
 * Looks for mistakes that waiting does not cure. A Redis that does not answer is none: the start waits for it.
 *
 * @throws StartupError
 */
export async function checkRedis(url: string, log: Log): Promise<void> {
  const { database, username, password, ...target } = parseRedisUrl(url);
  const client = new Redis({
    // What follows the connection is done below, since ioredis does not report its errors.
    ...connectionOptions({ ...target, database: 0, username: null, password: null }),
    lazyConnect: true,
    enableReadyCheck: false,
    retryStrategy: () => null,
    connectTimeout: CONNECT_TIMEOUT_MS,
    commandTimeout: CONNECT_TIMEOUT_MS,
  });
  // The rejection of `connect` says the same.
  client.on('error', () => {});
  try {
    await client.connect();
    if (password !== null) await authenticate(client, username, password);
    // A wrong password has its own answer; other answers, such as that of a Redis that loads its data, say nothing.
    await client.ping();
    if (database !== 0) await client.select(database);
    await checkKind(client, log);
  } catch (error) {
    if (error instanceof StartupError) throw error;
    const message = error instanceof Error ? error.message : '';
    const cure = cureOf(message);
    if (cure !== null) throw new StartupError(`Redis refused the connection: ${message}: ${cure}.`);
  } finally {
    client.disconnect();
  }
}

/** A password that Redis does not need is no mistake. */
async function authenticate(client: Redis, username: string | null, password: string): Promise<void> {
  try {
    await client.call('AUTH', ...(username === null ? [] : [username]), password);
  } catch (error) {
    if (!/without any password configured|no password is set/i.test(String(error))) throw error;
  }
}

function cureOf(message: string): string | null {
  if (/^(?:WRONGPASS|NOAUTH|ERR invalid password)/i.test(message))
    return 'check the user name and the password in REDIS_URL';
  if (/index is out of range|invalid DB index|SELECT is not allowed/i.test(message))
    return 'name another database in REDIS_URL, or none';
  return null;
}

/** Some managed servers refuse INFO: then their kind stays unknown. */
async function checkKind(client: Redis, log: Log): Promise<void> {
  const info = await client.info().catch(() => '');
  const [, mode] = /^redis_mode:(\w+)/m.exec(info) ?? [];
  if (mode === 'sentinel')
    throw new StartupError(
      'REDIS_URL names a Sentinel, which does not carry messages: name the Redis itself, or a proxy that finds it, such as HAProxy.',
    );
  if (mode === 'cluster')
    log.warn({}, 'Redis runs as a cluster: events work, but each instance counts rate limits alone');
  if (/^role:slave/m.test(info))
    log.warn(
      {},
      'REDIS_URL names a replica: events reach only the instances that are connected to the same one',
    );
}
