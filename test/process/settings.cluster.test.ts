import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import postgres from 'postgres';
import { beforeAll, expect, inject, test } from 'vitest';
import { createTokens } from '../../src/auth/tokens.js';
import { settingNames } from '../../src/config/index.js';
import { createRoom, page, type Result, request, send, signUp } from '../helpers/client.js';
import { startCollector } from '../helpers/collector.js';
import { createTestDatabase, type TestDatabase } from '../helpers/database.js';
import { freePort } from '../helpers/free-port.js';
import { lowerLimits } from '../helpers/lower-limits.js';
import { startParley, type TestParley } from '../helpers/parley.js';
import { runParley } from '../helpers/process.js';
import { openRawHttp } from '../helpers/raw-http.js';
import { openRawSocket, openSocketOf } from '../helpers/raw-socket.js';
import { temporaryFolder } from '../helpers/temporary-folder.js';

/** Tests the effect of each setting on users and operators; test/unit/config.test.ts tests how settings are read. */

const SECRET = 'another secret for tests, longer than 32 bytes';
const ORIGIN = 'https://app.example.com';

let database: TestDatabase;

beforeAll(async () => {
  database = await createTestDatabase();
  // As low as possible: each login hashes a password.
  lowerLimits(['loginByAddress'], 2);
});

const start = (env: Record<string, string>): Promise<TestParley> => startParley({ env, database });

/** The types of the results of `count` logins in a row, each with another `X-Forwarded-For`. */
async function logins({ url }: TestParley, count: number): Promise<(string | undefined)[]> {
  const types: (string | undefined)[] = [];
  for (let login = 0; login < count; login += 1) {
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-forwarded-for': `203.0.113.${login}` },
      body: JSON.stringify({
        query: 'mutation { login(input: { username: "", password: "" }) { __typename } }',
      }),
    });
    // The tests check the response.
    const { data } = (await response.json()) as Result<{ login: { __typename: string } }>;
    types.push(data?.login.__typename);
  }
  return types;
}

/** The time from a stop until each of two sockets is closed, in ms. */
async function closingTimes(seconds: string): Promise<number[]> {
  const parley = await start({ DRAIN_SECONDS: seconds });
  const alice = await signUp(parley.url);
  const sockets = await Promise.all([1, 2].map(() => openSocketOf(alice, parley.webSocketUrl)));
  const begin = performance.now();
  const times = sockets.map(({ closed }) => closed.then(() => performance.now() - begin));
  await parley.stop();
  return (await Promise.all(times)).sort((a, b) => a - b);
}

const effects: Record<string, [effect: string, check: () => Promise<void>]> = {
  PORT: [
    'is the port that the server listens on',
    async () => {
      const port = await freePort();
      await start({ PORT: String(port) });
      expect((await fetch(`http://127.0.0.1:${port}/ready`)).status).toBe(200);
    },
  ],
  HOST: [
    'is the address that the server listens on',
    async () => {
      // Reserved for documentation, so no machine has this address.
      await expect(start({ HOST: '192.0.2.1' })).rejects.toThrow('Cannot listen on 192.0.2.1');
      const { port } = new URL((await start({ HOST: '127.0.0.1' })).url);
      expect((await fetch(`http://127.0.0.1:${port}/health`)).status).toBe(200);
      await expect(fetch(`http://[::1]:${port}/health`)).rejects.toThrow();
    },
  ],
  DATA_DIR: [
    'is the folder of the secret',
    async () => {
      const { path } = temporaryFolder('settings');
      await start({ DATA_DIR: path, JWT_SECRET: '' });
      expect(existsSync(join(path, 'jwt-secret'))).toBe(true);
    },
  ],
  DATABASE_URL: [
    'is the database that stores all data',
    async () => {
      const other = await createTestDatabase();
      const alice = await signUp((await start({ DATABASE_URL: other.url })).url);
      const sql = postgres(other.url, { max: 1 });
      expect(await sql`select username from users`).toEqual([{ username: alice.username }]);
      await sql.end();
    },
  ],
  DATABASE_CONNECTIONS: [
    'limits the connections to the database',
    async () => {
      const own = await createTestDatabase();
      const parley = await start({ DATABASE_URL: own.url, DATABASE_CONNECTIONS: '2' });
      const alice = await signUp(parley.url);
      const sql = postgres(own.url, { max: 1, connection: { application_name: 'test' } });
      await Promise.all(Array.from({ length: 20 }, () => alice.request('{ rooms { nodes { id } } }')));
      const [row] = await sql<{ count: number }[]>`
        select count(*)::int as count from pg_stat_activity
        where datname = current_database() and application_name = 'parley'`;
      // The connection that migrates may still be closing.
      expect(row?.count).toBeLessThanOrEqual(3);
      expect(row?.count).toBeGreaterThanOrEqual(2);
      await sql.end();
    },
  ],
  REDIS_URL: [
    'is the Redis of the bus',
    async () => {
      const { url, app } = await start({ REDIS_URL: `redis://127.0.0.1:${await freePort()}` });
      const response = await fetch(new URL('/ready', url));
      expect(await response.json()).toMatchObject({ checks: { database: true, bus: false } });
      expect(app.description.bus).toContain('127.0.0.1');
    },
  ],
  REDIS_PREFIX: [
    'is the prefix of every key and channel',
    async () => {
      const prefix = `settings-${process.pid}`;
      const parley = await start({ REDIS_PREFIX: prefix, RATE_LIMITS: 'on' });
      const alice = await signUp(parley.url);
      const roomId = await createRoom(alice);
      const socket = await openSocketOf(alice, parley.webSocketUrl);
      socket.subscribe('1', { roomId, after: (await page(alice, roomId)).liveCursor });
      await send(alice, roomId, 'x');
      await socket.received('next', '1');
      const redis = new Redis(inject('redisUrl'));
      expect(await redis.keys(`${prefix}:limit:signUp*`)).toHaveLength(1);
      expect(await redis.pubsub('CHANNELS', `${prefix}:*:room:*`)).toHaveLength(1);
      redis.disconnect();
    },
  ],
  JWT_SECRET: [
    'signs access tokens',
    async () => {
      const alice = await signUp((await start({ JWT_SECRET: SECRET })).url);
      expect(await createTokens(SECRET, 60).authenticate(alice.token)).toMatchObject({ kind: 'viewer' });
      const other = await start({});
      expect(await request(other.url, '{ viewer { id } }', {}, alice.token)).toMatchObject({
        errors: [{ extensions: { code: 'UNAUTHENTICATED', reason: 'INVALID' } }],
      });
    },
  ],
  ACCESS_TOKEN_TTL: [
    'is the lifetime of access tokens',
    async () => {
      const { token } = await signUp((await start({ JWT_SECRET: SECRET, ACCESS_TOKEN_TTL: '7200' })).url);
      const authentication = await createTokens(SECRET, 60).authenticate(token);
      const left = 'expiresAt' in authentication ? authentication.expiresAt - Date.now() : 0;
      expect(left).toBeGreaterThan(7_180_000);
      expect(left).toBeLessThanOrEqual(7_200_000);
    },
  ],
  ALLOWED_ORIGINS: [
    'allows requests from pages of other sites, over HTTP and WebSocket',
    async () => {
      for (const [allowed, isAllowed] of [
        ['', false],
        [ORIGIN, true],
        ['*', true],
      ] as const) {
        const { url, webSocketUrl } = await start({ ALLOWED_ORIGINS: allowed });
        const { headers } = await fetch(url, { method: 'OPTIONS', headers: { origin: ORIGIN } });
        expect(headers.get('access-control-allow-origin')).toBe(isAllowed ? ORIGIN : null);
        const opened = openRawSocket(webSocketUrl, { headers: { origin: ORIGIN } });
        if (isAllowed) (await opened).destroy();
        else await expect(opened).rejects.toThrow('403');
      }
    },
  ],
  LOBBY: [
    'is the name of the room that everyone joins; empty for no such room',
    async () => {
      const joined = async (env: Record<string, string>) =>
        (await signUp((await start(env)).url)).request('{ viewer { rooms { nodes { name } } } }');
      expect(await joined({ LOBBY: 'Hall' })).toEqual({
        data: { viewer: { rooms: { nodes: [{ name: 'Hall' }] } } },
      });
      expect(await joined({ LOBBY: '' })).toEqual({ data: { viewer: { rooms: { nodes: [] } } } });
    },
  ],
  LOG_LEVEL: [
    'is the minimum level of log lines',
    async () => {
      const PORT = String(await freePort());
      const env = { DATABASE_URL: database.url, JWT_SECRET: SECRET, LOG_LEVEL: 'warn', PORT };
      const parley = await runParley(env);
      const status = () => fetch(`http://127.0.0.1:${PORT}/ready`).then(({ status }) => status, String);
      await expect.poll(status, { timeout: 15_000 }).toBe(200);
      expect(await parley.stop()).toEqual({ code: 0, signal: null });
      expect(parley.output()).toBe('');
    },
  ],
  RATE_LIMITS: [
    'switches rate limits off',
    async () => {
      expect(await logins(await start({ RATE_LIMITS: 'on' }), 3)).toContain('RateLimitedError');
      expect(await logins(await start({ RATE_LIMITS: 'off' }), 3)).not.toContain('RateLimitedError');
    },
  ],
  TRUSTED_PROXIES: [
    'decides whether forwarded addresses are used',
    async () => {
      const limited = (TRUSTED_PROXIES: string) => start({ RATE_LIMITS: 'on', TRUSTED_PROXIES });
      expect(await logins(await limited('0'), 3)).toContain('RateLimitedError');
      expect(await logins(await limited('1'), 3)).not.toContain('RateLimitedError');
    },
  ],
  GRAPHIQL: [
    'decides whether GraphiQL is served to browsers',
    async () => {
      const types = async (env: Record<string, string>) => {
        const { url } = await start(env);
        const responses = await Promise.all(
          [url, new URL('/graphiql/x/page.js', url)].map((each) =>
            fetch(each, { headers: { accept: 'text/html' } }),
          ),
        );
        return responses.map(({ status, headers }) => [status, headers.get('content-type')?.split(';')[0]]);
      };
      expect(await types({ GRAPHIQL: 'on' })).toEqual([
        [200, 'text/html'],
        [200, 'text/javascript'],
      ]);
      const off = await types({ GRAPHIQL: 'off' });
      expect(off.map(([status]) => status)).toEqual([406, 404]);
      expect(off.flat()).not.toContain('text/html');
    },
  ],
  INTROSPECTION: [
    'decides whether introspection queries are allowed',
    async () => {
      const ask = async (INTROSPECTION: string) =>
        (await request((await start({ INTROSPECTION })).url, '{ __schema { queryType { name } } }')).data;
      expect(await ask('on')).toEqual({ __schema: { queryType: { name: 'Query' } } });
      expect(await ask('off')).toBeFalsy();
    },
  ],
  METRICS: [
    'says whether the public port serves metrics',
    async () => {
      for (const [METRICS, status] of [
        ['on', 200],
        ['off', 404],
      ] as const) {
        const { url } = await start({ METRICS });
        expect((await fetch(new URL('/metrics', url))).status).toBe(status);
      }
    },
  ],
  METRICS_PORT: [
    'serves metrics alone',
    async () => {
      const port = await freePort();
      await start({ METRICS: 'off', METRICS_PORT: String(port) });
      const response = await fetch(`http://127.0.0.1:${port}/metrics`);
      expect(await response.text()).toContain('parley_websockets 0');
    },
  ],
  OTEL_EXPORTER_OTLP_ENDPOINT: [
    'receives a span for each operation',
    async () => {
      const collector = await startCollector();
      const parley = await start({ OTEL_EXPORTER_OTLP_ENDPOINT: collector.url });
      await request(parley.url, 'query Mine { viewer { id } }');
      await request(parley.url, '{ room(id: "x") { id } }');
      await parley.stop();
      expect(collector.spans()).toEqual([
        { name: 'query Mine', codes: undefined, isFailed: false },
        { name: 'query', codes: ['UNAUTHENTICATED'], isFailed: true },
      ]);
      await collector.stop();
    },
  ],
  MAX_OPERATION_COST: [
    'is the most that an operation may cost',
    async () => {
      const ask = async (MAX_OPERATION_COST: string) => {
        const { url } = await start({ MAX_OPERATION_COST });
        const { token } = await signUp(url);
        return request(url, '{ rooms(first: 100) { nodes { id } } }', {}, token);
      };
      expect((await ask('1000')).errors).toBeUndefined();
      expect((await ask('200')).errors).toMatchObject([
        { extensions: { code: 'LIMIT_EXCEEDED', cost: 211, maxCost: 200 } },
      ]);
    },
  ],
  MAX_CONNECTIONS: [
    'limits the connections of a user',
    async () => {
      const parley = await start({ RATE_LIMITS: 'on', MAX_CONNECTIONS: 'user=2' });
      // Elsewhere, because requests with a token use connections too.
      const alice = await signUp((await start({})).url);
      const sockets = await Promise.all(
        [1, 2, 3].map(async () => {
          const socket = await openRawSocket(parley.webSocketUrl);
          socket.send({ type: 'connection_init', payload: { authorization: `Bearer ${alice.token}` } });
          return socket;
        }),
      );
      expect(await Promise.race(sockets.map(({ closed }) => closed))).toMatchObject({ code: 1013 });
      const acknowledged = await Promise.allSettled(
        sockets.map((socket) => socket.received('connection_ack')),
      );
      expect(acknowledged.filter(({ status }) => status === 'fulfilled')).toHaveLength(2);
    },
  ],
  MAX_OPERATIONS: [
    'limits the operations in progress of a user',
    async () => {
      const parley = await start({ RATE_LIMITS: 'on', MAX_OPERATIONS: 'user=1' });
      const alice = await signUp(parley.url);
      const results = await Promise.all([1, 2, 3].map(() => alice.request('{ rooms { nodes { id } } }')));
      expect(results.flatMap(({ errors }) => errors ?? [])).toContainEqual(
        expect.objectContaining({ extensions: { code: 'RATE_LIMITED', retryAfterMs: 1000 } }),
      );
      expect(await alice.request('{ viewer { id } }')).toMatchObject({ data: { viewer: {} } });
    },
  ],
  MAX_SUBSCRIPTIONS: [
    'limits the subscriptions of a user',
    async () => {
      const parley = await start({ RATE_LIMITS: 'on', MAX_SUBSCRIPTIONS: 'user=2' });
      const alice = await signUp(parley.url);
      const roomId = await createRoom(alice);
      const sockets = await Promise.all([1, 2].map(() => openSocketOf(alice, parley.webSocketUrl)));
      const [first, second] = sockets;
      first?.subscribe('1', { roomId });
      second?.subscribe('1', { roomId });
      second?.subscribe('2', { roomId });
      const [refused] = (await second?.received('error', '2')) ?? [];
      expect(refused).toMatchObject({ payload: [{ extensions: { code: 'RATE_LIMITED' } }] });
      first?.destroy();
      // A subscription that has ended does not count.
      const isRefused = async (id: string): Promise<boolean> => {
        second?.subscribe(id, { roomId });
        second?.subscribe(`after ${id}`, {}, '{ viewer { id } }');
        await second?.received('next', `after ${id}`);
        return second?.frames.some((frame) => frame.type === 'error' && frame.id === id) ?? true;
      };
      let count = 0;
      await expect
        .poll(() => {
          count += 1;
          return isRefused(`again ${count}`);
        })
        .toBe(false);
    },
  ],
  MAX_UNSENT_MIB: [
    'limits the unsent data of a user',
    async () => {
      const parley = await start({ RATE_LIMITS: 'on', MAX_UNSENT_MIB: 'user=1' });
      const alice = await signUp(parley.url);
      const roomId = await createRoom(alice);
      for (let count = 0; count < 20; count += 1) await send(alice, roomId, '😀'.repeat(4000));
      const sockets = await Promise.all(
        Array.from({ length: 4 }, () => openSocketOf(alice, parley.webSocketUrl)),
      );
      const query = 'query ($roomId: ID!) { roomMessages(roomId: $roomId, last: 20) { nodes { text } } }';
      for (const socket of sockets) {
        socket.pause();
        for (let id = 0; id < 20; id += 1) socket.subscribe(String(id), { roomId }, query);
      }
      await expect
        .poll(() => parley.log.filter((line) => line.includes('exceed the budget')).length, { timeout: 8000 })
        .toBeGreaterThan(0);
    },
  ],
  KEEP_ALIVE_SECONDS: [
    'is how long an idle connection stays open',
    async () => {
      const parley = await start({ KEEP_ALIVE_SECONDS: '1' });
      const { socket, text } = await openRawHttp(parley.url);
      socket.write('GET /health HTTP/1.1\r\nhost: x\r\n\r\n');
      await expect.poll(text).toContain('Keep-Alive: timeout=1');
      const answeredAt = performance.now();
      if (!socket.closed) await once(socket, 'close');
      expect(performance.now() - answeredAt).toBeGreaterThan(700);
    },
  ],
  DRAIN_SECONDS: [
    'is the time over which a stop closes the sockets',
    async () => {
      const [, last = 0] = await closingTimes('0');
      expect(last).toBeLessThan(800);
      // The second of two sockets is closed after half of the time.
      const [first = 0, second = 0] = await closingTimes('2');
      expect(first).toBeLessThan(800);
      expect(second).toBeGreaterThan(900);
      expect(second).toBeLessThan(1800);
    },
  ],
};

test('the table has a row for every setting', () => {
  expect(Object.keys(effects)).toEqual(settingNames);
});

const sentences = Object.entries(effects).map(
  ([name, [effect, check]]) => [`${name} ${effect}`, check] as const,
);

test.each(sentences)('%s', (_, check) => check());
