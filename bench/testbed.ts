import postgres from 'postgres';
import { encodeGlobalId } from '../src/graphql/schema/global-id.js';
import { type Instance, startInstance } from '../test/faults/environment/instance.js';
import { createRoom, joinRoom, type Person, page, send, signUp } from '../test/helpers/client.js';
import { freePort } from '../test/helpers/free-port.js';
import { startPostgres } from '../test/helpers/postgres-server.js';
import { type PrivateRedis, startRedis } from '../test/helpers/redis-server.js';

/** Shared by all servers under test: one Redis, one Postgres, and the instance that messages are sent through. */
export interface Testbed {
  /** Parley's settings, without its port. */
  readonly env: Readonly<Record<string, string>>;
  /** The instance that messages are sent through, and the access token of their author. */
  readonly sender: { readonly port: number; readonly token: string };
  /** The author of all messages. */
  readonly author: { readonly username: string; readonly displayName: string };
  /** Access tokens of the subscribers. */
  readonly tokens: readonly string[];
  /** Global ids of the rooms that all subscribers are members of. */
  readonly rooms: readonly string[];
  /** Creates another room with `count` messages, and returns the place of the first one. */
  history(count: number): Promise<Place>;
  /** Creates rooms of the author and the first subscriber, and returns their global ids. */
  manyRooms(count: number): Promise<readonly string[]>;
  /** Writes rooms without members into the database, each with one message. */
  quietRooms(count: number): Promise<void>;
  /** The ids of some of them, at random. */
  sampleOfRooms(count: number): Promise<readonly string[]>;
  readonly redis: PrivateRedis;
  /** Creates another room, and returns the place of its last message, which is a join. */
  newRoom(): Promise<Place>;
}

/** A place in a room's history: the cursor of a message and its `seq`. */
export interface Place {
  readonly roomId: string;
  readonly after: string;
  readonly afterSeq: number;
}

const SUBSCRIBERS = 4;
const PREFIX = 'bench';

/** Starts all parts of the testbed; `stopAll` stops them. */
export async function openTestbed(rooms: number): Promise<Testbed> {
  const [redis, database] = await Promise.all([startRedis(), startPostgres()]);
  const databaseUrl = await database.createDatabase();
  const env = {
    HOST: '127.0.0.1',
    DATABASE_URL: databaseUrl,
    REDIS_URL: redis.url,
    REDIS_PREFIX: PREFIX,
    JWT_SECRET: 'a secret for benchmarks, longer than 32 bytes',
    ACCESS_TOKEN_TTL: '86400',
    RATE_LIMITS: 'off',
    NODE_ENV: 'production',
    LOG_LEVEL: 'warn',
  };
  const port = await freePort();
  // `startInstance` waits for the log line "Parley is ready", whose level is `info`.
  const instance: Instance = await startInstance({ ...env, LOG_LEVEL: 'info', PORT: String(port) });
  const writer = await signUp(instance.url, 'writer');
  const subscribers: Person[] = [];
  for (let subscriber = 1; subscriber <= SUBSCRIBERS; subscriber++)
    subscribers.push(await signUp(instance.url, `subscriber-${subscriber}`));

  async function openRoom(): Promise<string> {
    const room = await createRoom(writer);
    for (const subscriber of subscribers) await joinRoom(subscriber, room);
    return room;
  }
  const roomIds: string[] = [];
  for (let room = 0; room < rooms; room++) roomIds.push(await openRoom());
  const first = await send(writer, roomIds[0] ?? '', 'Who is this?');

  async function placeIn(roomId: string, range: { first: number } | { last: number }): Promise<Place> {
    const [edge] = (await page(writer, roomId, range)).edges;
    return { roomId, after: edge?.cursor ?? '', afterSeq: edge?.node.seq ?? 0 };
  }

  return {
    env,
    sender: { port, token: writer.token },
    author: first.node.author ?? { username: '', displayName: '' },
    tokens: subscribers.map(({ token }) => token),
    rooms: roomIds,
    async history(count) {
      const roomId = await openRoom();
      await fill(databaseUrl, roomId, count);
      return placeIn(roomId, { first: 1 });
    },
    manyRooms: (count) => fillRooms(databaseUrl, count),
    quietRooms: (count) => fillQuietRooms(databaseUrl, count),
    sampleOfRooms: (count) => sampleQuietRooms(databaseUrl, count),
    redis,
    newRoom: async () => placeIn(await openRoom(), { last: 1 }),
  };
}

/** Writes past messages into the database as Parley would have written them: sending them would take minutes. */
async function fill(databaseUrl: string, roomId: string, count: number): Promise<void> {
  const sql = postgres(databaseUrl, { max: 1 });
  const id = Buffer.from(roomId.slice(1), 'base64url').toString('hex');
  try {
    await sql`
      insert into messages (id, room_id, seq, rev, type, author_id, text, created_at)
      select gen_random_uuid(), ${id}::uuid, head.seq + n, head.rev + n, 'TEXT',
        (select id from users where username = 'writer'), 'A message of the past, number ' || n || repeat('.', 70),
        date_trunc('milliseconds', now())
      from (select max(seq) as seq, max(rev) as rev from messages where room_id = ${id}::uuid) as head,
        generate_series(1, ${count}::integer - head.seq) as n`;
    await sql`analyze messages`;
  } finally {
    await sql.end();
  }
}

/** Writes rooms into the database: creating them would take minutes. */
async function fillRooms(databaseUrl: string, count: number): Promise<readonly string[]> {
  const sql = postgres(databaseUrl, { max: 1 });
  try {
    const rows = await sql<{ id: string }[]>`
      with made as (
        insert into rooms (id, kind, name, member_count)
        select gen_random_uuid(), 'PRIVATE', 'one of many', 2 from generate_series(1, ${count}::integer)
        returning id
      ), joined as (
        insert into members (room_id, user_id)
        select made.id, users.id from made, users where username in ('writer', 'subscriber-1')
      )
      select id from made`;
    return rows.map(({ id }) => encodeGlobalId('Room', id));
  } finally {
    await sql.end();
  }
}

async function fillQuietRooms(databaseUrl: string, count: number): Promise<void> {
  const sql = postgres(databaseUrl, { max: 1, onnotice: () => {} });
  try {
    await sql`
      with made as (
        insert into rooms (id, kind, name, member_count)
        select gen_random_uuid(), 'PRIVATE', 'quiet', 1 from generate_series(1, ${count}::integer)
        returning id
      )
      insert into messages (id, room_id, seq, rev, type, author_id, text, created_at)
      select gen_random_uuid(), made.id, 1, 1, 'TEXT', users.id, 'The only message', date_trunc('milliseconds', now())
      from made, users where username = 'writer'`;
    await sql`vacuum analyze rooms, messages`;
  } finally {
    await sql.end();
  }
}

async function sampleQuietRooms(databaseUrl: string, count: number): Promise<readonly string[]> {
  const sql = postgres(databaseUrl, { max: 1 });
  try {
    const rows = await sql<{ id: string }[]>`
      select id from rooms where name = 'quiet' order by random() limit ${count}`;
    return rows.map(({ id }) => id);
  } finally {
    await sql.end();
  }
}
