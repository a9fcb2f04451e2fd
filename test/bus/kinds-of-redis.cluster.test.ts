import { randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { beforeAll, expect, test, vi } from 'vitest';
import { createBus } from '../../src/bus/index.js';
import { checkRedis } from '../../src/redis/check.js';
import { createLimits } from '../../src/redis/rate-limiter.js';
import { connect, LOBBY, page, request, send, signUp, subscribe } from '../helpers/client.js';
import { createTestDatabase, type TestDatabase } from '../helpers/database.js';
import { ensureProgram } from '../helpers/debian.js';
import { freePort } from '../helpers/free-port.js';
import { certificate } from '../helpers/postgres-tls.js';
import { runParley } from '../helpers/process.js';
import { startProgram } from '../helpers/program.js';
import { ensureRedisServer } from '../helpers/redis-binary.js';
import { startRedis } from '../helpers/redis-server.js';
import { temporaryFolder } from '../helpers/temporary-folder.js';

/** Redis as people have it: restricted, full, in the wrong place. */

const log = { debug: vi.fn(), info: vi.fn(), warn: vi.fn(), error: vi.fn() };
let database: TestDatabase;

beforeAll(async () => {
  database = await createTestDatabase();
});

const settings = (redisUrl: string, prefix = `test-${randomBytes(6).toString('hex')}`) => ({
  DATABASE_URL: database.url,
  REDIS_URL: redisUrl,
  REDIS_PREFIX: prefix,
  JWT_SECRET: 'a secret for tests, longer than 32 bytes',
  NODE_ENV: 'production',
  LOG_LEVEL: 'debug',
});

interface Ready {
  readonly status: string;
  readonly checks: Record<string, boolean>;
  readonly bus: Record<string, number>;
}

async function ready(url: string): Promise<Ready & { code: number }> {
  const response = await fetch(new URL('/ready', url));
  return { ...((await response.json()) as Ready), code: response.status };
}

/** The line of docs/operations.md, for another prefix. */
async function accessRules(prefix: string): Promise<string[]> {
  const docs = await readFile(new URL('../../docs/operations.md', import.meta.url), 'utf8');
  const [line = ''] = /ACL SETUSER parley .*/.exec(docs) ?? [];
  return line.replaceAll('parley:*', `${prefix}:*`).split(' ');
}

test('the documented user of Redis may do everything that Parley does', async () => {
  const redis = await startRedis();
  const admin = new Redis(redis.url);
  const prefix = `test-${randomBytes(6).toString('hex')}`;
  const [command = '', ...args] = await accessRules(prefix);
  await admin.call(command, ...args);
  const url = redis.url.replace('redis://', 'redis://parley:secret@');
  const [here, there] = await Promise.all([
    runParley(settings(url, prefix)),
    runParley(settings(url, prefix)),
  ]);
  const [{ url: origin }, other] = await Promise.all([here.ready, there.ready]);
  const alice = await signUp(origin);
  const { liveCursor } = await page(alice, LOBBY);
  const subscription = subscribe(
    connect(other.url.replace('http', 'ws'), { token: alice.token }),
    LOBBY,
    liveCursor,
  );
  const sent = await send(alice, LOBBY, 'hello');
  expect(await subscription.received(1)).toEqual([sent]);
  await request(origin, 'mutation { login(input: { username: "x", password: "y" }) { __typename } }');
  expect(await ready(other.url)).toMatchObject({
    status: 'ready',
    bus: { missedEvents: 0, refusedSubscribes: 0 },
  });
  expect(await ready(origin)).toMatchObject({ status: 'ready', checks: { rateLimits: true } });
  expect((await admin.call('ACL', 'LOG')) as unknown[]).toEqual([]);
  await Promise.all([here.stop(), there.stop()]);
  admin.disconnect();
  await redis.stop();
}, 60_000);

test('every line of the log is JSON with a Redis that refuses INFO and CLIENT, and needs no password', async () => {
  const redis = await startRedis();
  const admin = new Redis(redis.url);
  for (const command of ['-info', '-client']) await admin.call('ACL', 'SETUSER', 'default', command);
  const parley = await runParley(settings(redis.url.replace('redis://', 'redis://:unneeded@')));
  const { url } = await parley.ready;
  expect(await ready(url)).toMatchObject({ status: 'ready' });
  await parley.stop();
  for (const line of parley.output().trim().split('\n')) expect(() => JSON.parse(line), line).not.toThrow();
  admin.disconnect();
  await redis.stop();
}, 60_000);

test('a Redis that takes DEL but refuses EVAL locks nobody out, and is reported', async () => {
  const redis = await startRedis();
  const admin = new Redis(redis.url);
  await admin.call('ACL', 'SETUSER', 'default', '-eval', '-evalsha', '-multi');
  const limits = createLimits({ url: redis.url, prefix: 'test' }, log);
  const attempt = { usernameKey: 'ada', address: '192.0.2.1' };
  log.warn.mockClear();
  for (let login = 0; login < 30; login += 1) {
    await limits.logins.count(attempt);
    await limits.logins.reset(attempt);
  }
  expect(limits.isShared()).toBe(false);
  expect(log.warn.mock.calls.filter(([, message]) => message.includes('counts alone'))).toHaveLength(1);
  await redis.stop();
  for (let login = 0; login < 30; login += 1) {
    await limits.logins.count(attempt);
    await limits.logins.reset(attempt);
  }
  limits.close();
  admin.disconnect();
});

test('without Redis, an instance that was ready is degraded, and ready again with it', async () => {
  const redis = await startRedis();
  const parley = await runParley(settings(redis.url));
  const { url } = await parley.ready;
  expect(await ready(url)).toMatchObject({ status: 'ready', code: 200 });
  await redis.kill();
  await expect
    .poll(() => ready(url))
    .toMatchObject({ status: 'degraded', code: 200, checks: { bus: false } });
  await redis.restart();
  await expect.poll(() => ready(url), { timeout: 15_000 }).toMatchObject({ status: 'ready', code: 200 });
  await parley.stop();
  await redis.stop();
}, 60_000);

test('instances on different databases of one Redis notice that they do not hear each other', async () => {
  const redis = await startRedis();
  const prefix = `test-${randomBytes(6).toString('hex')}`;
  const [here, there] = await Promise.all([
    runParley(settings(`${redis.url}/0`, prefix)),
    runParley(settings(`${redis.url}/1`, prefix)),
  ]);
  const [{ url }, other] = await Promise.all([here.ready, there.ready]);
  const alice = await signUp(url);
  const { liveCursor } = await page(alice, LOBBY);
  const subscription = subscribe(
    connect(other.url.replace('http', 'ws'), { token: alice.token }),
    LOBBY,
    liveCursor,
  );
  for (let count = 1; count <= 4; count += 1) {
    await send(alice, LOBBY, `message ${count}`);
    await subscription.received(count);
  }
  await expect.poll(async () => (await ready(other.url)).bus.missedEvents).toBeGreaterThanOrEqual(3);
  expect(there.output()).toContain('do all instances use the same Redis');
  expect(here.output()).not.toContain('do all instances use the same Redis');
  await Promise.all([here.stop(), there.stop()]);
  await redis.stop();
}, 60_000);

test('a Sentinel is refused', async () => {
  const binary = await ensureRedisServer();
  const folder = temporaryFolder('sentinel');
  const port = await freePort();
  const file = join(folder.path, 'sentinel.conf');
  await writeFile(file, `port ${port}\nbind 127.0.0.1\ndir ${folder.path}\n`);
  const args = [file, '--sentinel'];
  const stop = await startProgram({ binary, args, port, folder, spawn: { argv0: 'redis-server' } });
  await expect(checkRedis(`redis://127.0.0.1:${port}`, log)).rejects.toThrow('REDIS_URL names a Sentinel');
  await stop();
});

test.each([
  ['a database that does not exist', (url: string) => `${url}/99`, 'name another database in REDIS_URL'],
  [
    'a wrong password',
    (url: string) => url.replace('redis://', 'redis://parley:wrong@'),
    'check the user name and the password',
  ],
])('%s ends the start with one line', async (_name, change, cure) => {
  const redis = await startRedis();
  const parley = await runParley(settings(change(redis.url)));
  expect(await parley.exited).toEqual({ code: 1, signal: null });
  expect(parley.output().trim().split('\n')).toEqual([expect.stringContaining(cure)]);
  await redis.stop();
});

test('a replica and a Redis that does not answer are no reason not to start', async () => {
  const [primary, replica] = [await startRedis(), await startRedis()];
  const admin = new Redis(replica.url);
  await admin.replicaof('127.0.0.1', primary.port);
  log.warn.mockClear();
  await checkRedis(replica.url, log);
  expect(log.warn).toHaveBeenCalledWith({}, expect.stringContaining('names a replica'));
  await checkRedis(`redis://127.0.0.1:${await freePort()}`, log);
  admin.disconnect();
  await Promise.all([primary.stop(), replica.stop()]);
});

test('when a primary has become a replica, all connections are opened again', async () => {
  const [redis, other] = [await startRedis(), await startRedis()];
  const admin = new Redis(redis.url);
  const bus = createBus({ url: redis.url, prefix: 'test' }, Buffer.alloc(32), log);
  const limits = createLimits({ url: redis.url, prefix: 'test' }, log);
  await expect.poll(() => bus.isReady()).toBe(true);
  await expect
    .poll(async () => {
      await limits.actions.consume('findUser', 'anyone');
      return admin.exists('test:limit:findUser:anyone');
    })
    .toBe(1);
  await admin.replicaof('127.0.0.1', other.port);
  await limits.actions.consume('findUser', 'anyone');
  await expect.poll(() => bus.counters.reconnects).toBe(2);
  await expect.poll(() => bus.isReady()).toBe(true);
  limits.close();
  await bus.close();
  admin.disconnect();
  await Promise.all([redis.stop(), other.stop()]);
});

test('TLS with a certificate of an authority that NODE_EXTRA_CA_CERTS names', async () => {
  const port = await freePort();
  const files = ['cert-file', 'server.pem', 'key-file', 'server.key', 'ca-cert-file', 'ca.pem'];
  const redis = await startRedis({
    args: [
      ...['--tls-port', String(port), '--tls-auth-clients', 'no'],
      ...files.map((name, index) => (index % 2 ? certificate(name) : `--tls-${name}`)),
    ],
  });
  const env = settings(`rediss://localhost:${port}`);
  const parley = await runParley({ ...env, NODE_EXTRA_CA_CERTS: certificate('ca.pem') });
  const { url } = await parley.ready;
  expect(await ready(url)).toMatchObject({ status: 'ready' });
  await parley.stop();
  // Without it, the certificate is not trusted: the instance serves clients once Redis is reachable.
  const untrusting = await runParley({ ...env, PORT: String(await freePort()) });
  await expect.poll(() => untrusting.output(), { timeout: 10_000 }).toContain('Redis is unreachable');
  await untrusting.stop();
  await redis.stop();
}, 60_000);

test('HAProxy in front of a primary and a replica finds the primary, also after a failover', async () => {
  const [first, second] = [await startRedis(), await startRedis()];
  const [one, two] = [new Redis(first.url), new Redis(second.url)];
  await two.replicaof('127.0.0.1', first.port);
  const docs = await readFile(new URL('../../docs/operations.md', import.meta.url), 'utf8');
  const [, snippet = ''] = /```haproxy\n([\s\S]*?)```/.exec(docs) ?? [];
  const port = await freePort();
  const folder = temporaryFolder('haproxy');
  const file = join(folder.path, 'haproxy.cfg');
  const configuration = snippet
    .replaceAll(/^ {2}/gm, '')
    .replace(':6379', `127.0.0.1:${port}`)
    .replace('redis-1:6379', `127.0.0.1:${first.port}`)
    .replace('redis-2:6379', `127.0.0.1:${second.port}`);
  await writeFile(
    file,
    `defaults\n  timeout connect 1s\n  timeout client 1m\n  timeout server 1m\n${configuration}`,
  );
  const stop = await startProgram({
    binary: await ensureProgram('haproxy'),
    args: ['-f', file],
    port,
    folder,
  });

  const bus = createBus({ url: `redis://127.0.0.1:${port}`, prefix: 'test' }, Buffer.alloc(32), log);
  /** Whether both clients of the bus are connected to it. HAProxy takes both servers for the primary until it has checked. */
  const serves = async (admin: Redis): Promise<boolean> => {
    const clients = String(await admin.client('LIST'));
    return ['parley-publisher', 'parley-subscriber'].every((name) => clients.includes(name));
  };
  await expect.poll(() => serves(one), { timeout: 10_000 }).toBe(true);
  await two.replicaof('NO', 'ONE');
  await one.replicaof('127.0.0.1', second.port);
  await expect.poll(() => serves(two), { timeout: 10_000 }).toBe(true);
  await expect.poll(() => bus.isReady(), { timeout: 10_000 }).toBe(true);
  await bus.close();
  for (const admin of [one, two]) admin.disconnect();
  await stop();
  await Promise.all([first.stop(), second.stop()]);
}, 60_000);

test('a URL that names a replica by mistake does not open the connections again and again', async () => {
  const [primary, replica] = [await startRedis(), await startRedis()];
  const admin = new Redis(replica.url);
  await admin.replicaof('127.0.0.1', primary.port);
  const bus = createBus({ url: replica.url, prefix: 'test' }, Buffer.alloc(32), log);
  const limits = createLimits({ url: replica.url, prefix: 'test' }, log);
  await expect.poll(() => bus.isReady()).toBe(true);
  // Long enough for every client to connect again several times. Each command is refused.
  for (let count = 0; count < 100; count += 1) {
    await limits.actions.consume('findUser', 'anyone');
    await sleep(20);
  }
  await expect.poll(() => bus.isReady()).toBe(true);
  expect(bus.counters.reconnects).toBe(2);
  limits.close();
  await bus.close();
  admin.disconnect();
  await Promise.all([primary.stop(), replica.stop()]);
});
