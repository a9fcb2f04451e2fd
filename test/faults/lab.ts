import { randomBytes } from 'node:crypto';
import postgres from 'postgres';
import { freePort } from '../helpers/free-port.js';
import { type PrivatePostgres, startPostgres } from '../helpers/postgres-server.js';
import { type PrivateRedis, startRedis } from '../helpers/redis-server.js';
import type { Placed } from './check.js';
import { type Instance, startInstance } from './instance.js';

/** What scenarios break: nobody else's, and shared by them, one after the other. */
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

/** A message's row. */
export interface Row extends Placed {
  readonly createdAt: Date;
}

/** Where one scenario runs: an empty database, a Redis prefix of its own, and whatever instances it starts. */
export interface Lab {
  readonly redis: PrivateRedis;
  readonly postgres: PrivatePostgres;
  readonly databaseUrl: string;
  readonly redisPrefix: string;
  /** Starts an instance, and more settings by their names in the environment; resolves when it is ready. */
  start(env?: Record<string, string>): Promise<Instance>;
  /** So many with the same settings, at once. */
  startAll(count: number, env?: Record<string, string>): Promise<readonly Instance[]>;
  /** All messages of the room with this name, by `seq`. */
  rows(roomName: string): Promise<readonly Row[]>;
  /** Stops all instances; throws where one has ended by itself. */
  close(): Promise<void>;
}

export async function openLab({ redis, postgres: server }: Servers): Promise<Lab> {
  const databaseUrl = await server.createDatabase();
  const redisPrefix = `faults-${randomBytes(6).toString('hex')}`;
  const settings = {
    HOST: '127.0.0.1',
    DATABASE_URL: databaseUrl,
    REDIS_URL: redis.url,
    REDIS_PREFIX: redisPrefix,
    JWT_SECRET: 'a secret for tests, longer than 32 bytes',
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
      if (crashes.length > 0) throw new Error(`An instance ended by itself:\n${crashes.join('\n')}`);
    },
  };
}

/**
 * The same lab for scenarios one after the other: who starts instances without settings of their own gets these, which run
 * already. Closing it is the lab's matter, and so is what they did meanwhile.
 */
export function withInstances(lab: Lab, running: readonly Instance[]): Lab {
  let taken = 0;
  const start: Lab['start'] = async (env) => {
    const next = env === undefined ? running[taken] : undefined;
    taken += 1;
    return next ?? lab.start(env);
  };
  return {
    ...lab,
    start,
    startAll: (count, env) => Promise.all(Array.from({ length: count }, () => start(env))),
    close: async () => {},
  };
}
