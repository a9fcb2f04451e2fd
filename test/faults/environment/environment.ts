import { randomBytes } from 'node:crypto';
import postgres from 'postgres';
import { freePort } from '../../helpers/free-port.js';
import { type PrivatePostgres, startPostgres } from '../../helpers/postgres-server.js';
import { type PrivateRedis, startRedis } from '../../helpers/redis-server.js';
import type { MessageRef } from '../verdict/check.js';
import { type Instance, startInstance } from './instance.js';

export const JWT_SECRET = 'a secret for tests, longer than 32 bytes';

/** The private servers that scenarios break, one scenario after the other. */
export interface Servers {
  readonly redis: PrivateRedis;
  readonly postgres: PrivatePostgres;
  stop(): Promise<void>;
}

export async function startServers(): Promise<Servers> {
  const [redis, database] = await Promise.all([startRedis(), startPostgres()]);
  return {
    redis,
    postgres: database,
    stop: async () => {
      await Promise.all([redis.stop(), database.stop()]);
    },
  };
}

/** The row of a message. */
export interface Row extends MessageRef {
  readonly createdAt: Date;
}

/** The environment of one scenario: an empty database, a Redis prefix of its own, and the instances that it starts. */
export interface Environment {
  readonly redis: PrivateRedis;
  readonly postgres: PrivatePostgres;
  readonly databaseUrl: string;
  readonly redisPrefix: string;
  /** Starts an instance with additional settings (environment variables); resolves when it is ready. */
  start(env?: Record<string, string>): Promise<Instance>;
  /** Starts `count` instances with the same settings, concurrently. */
  startAll(count: number, env?: Record<string, string>): Promise<readonly Instance[]>;
  /** All messages of the room with this name, in `seq` order. */
  rows(roomName: string): Promise<readonly Row[]>;
  /** Stops all instances; throws if one has exited unexpectedly. */
  close(): Promise<void>;
}

export async function openEnvironment({ redis, postgres: server }: Servers): Promise<Environment> {
  const databaseUrl = await server.createDatabase();
  const redisPrefix = `faults-${randomBytes(6).toString('hex')}`;
  const settings = {
    HOST: '127.0.0.1',
    DATABASE_URL: databaseUrl,
    REDIS_URL: redis.url,
    REDIS_PREFIX: redisPrefix,
    JWT_SECRET,
    RATE_LIMITS: 'off',
    NODE_ENV: 'production',
  };
  const instances: Instance[] = [];

  async function start(env: Record<string, string> = {}): Promise<Instance> {
    const instance = await startInstance({ ...settings, PORT: String(await freePort()), ...env });
    instances.push(instance);
    return instance;
  }

  return {
    redis,
    postgres: server,
    databaseUrl,
    redisPrefix,
    start,
    startAll: (count, env) => Promise.all(Array.from({ length: count }, () => start(env))),
    async rows(roomName) {
      const sql = postgres(databaseUrl, { max: 1 });
      try {
        return await sql<Row[]>`
          select seq, client_message_id as "clientMessageId", messages.created_at as "createdAt"
          from messages join rooms on rooms.id = room_id where name = ${roomName} order by seq`;
      } finally {
        await sql.end();
      }
    },
    async close() {
      const crashes = instances.flatMap((instance) => instance.crash ?? []);
      await Promise.all(instances.map((instance) => instance.discard()));
      if (crashes.length > 0) throw new Error(`An instance exited unexpectedly:\n${crashes.join('\n')}`);
    },
  };
}

/**
 * The same environment for several scenarios in a row: starting instances without settings returns these running instances.
 * Only the original environment stops them and checks that they did not exit.
 */
export function withInstances(environment: Environment, running: readonly Instance[]): Environment {
  let used = 0;
  const start: Environment['start'] = async (env) => {
    const next = env === undefined ? running[used] : undefined;
    used += 1;
    return next ?? environment.start(env);
  };
  return {
    ...environment,
    start,
    startAll: (count, env) => Promise.all(Array.from({ length: count }, () => start(env))),
    close: async () => {},
  };
}
