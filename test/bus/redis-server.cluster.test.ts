import { existsSync } from 'node:fs';
import { Redis } from 'ioredis';
import { afterEach, expect, inject, test } from 'vitest';
import { startRedis } from '../helpers/redis-server.js';

const clients: Redis[] = [];

function connect(url: string): Redis {
  // Retries would hide that the server is down.
  const client = new Redis(url, { retryStrategy: () => null, maxRetriesPerRequest: 0 });
  client.on('error', () => {});
  clients.push(client);
  return client;
}

async function processIdOf(url: string): Promise<number> {
  const info = await connect(url).info('server');
  return Number(/process_id:(\d+)/.exec(info)?.[1]);
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

async function folderOf(url: string): Promise<string> {
  const answer = await connect(url).config('GET', 'dir');
  return Array.isArray(answer) ? String(answer[1]) : '';
}

afterEach(() => {
  for (const client of clients.splice(0)) client.disconnect();
});

test("the test run's Redis answers on a port other than the default", async () => {
  const url = inject('redisUrl');

  expect(await connect(url).ping()).toBe('PONG');
  expect(new URL(url)).toMatchObject({ hostname: '127.0.0.1', port: expect.not.stringMatching(/^(6379)?$/) });
});

test("a private Redis is not the test run's", async () => {
  const redis = await startRedis();

  expect(redis.url).not.toBe(inject('redisUrl'));
  expect(await processIdOf(redis.url)).toBe(redis.pid);

  await redis.stop();
});

test('a restarted Redis is a new, empty process on the same port', async () => {
  const redis = await startRedis();
  const before = { url: redis.url, pid: redis.pid };
  await connect(redis.url).set('key', 'value');

  await redis.restart();

  expect(redis.url).toBe(before.url);
  expect(redis.pid).not.toBe(before.pid);
  expect(isRunning(before.pid)).toBe(false);
  expect(await processIdOf(redis.url)).toBe(redis.pid);
  expect(await connect(redis.url).get('key')).toBeNull();

  await redis.stop();
});

test('a killed Redis refuses connections until it is restarted', async () => {
  const redis = await startRedis();

  await redis.kill();
  await expect(connect(redis.url).ping()).rejects.toThrow();

  await redis.restart();
  expect(await connect(redis.url).ping()).toBe('PONG');

  await redis.stop();
});

test('a stopped Redis leaves no process and no folder behind, even if it hung', async () => {
  const redis = await startRedis();
  const folder = await folderOf(redis.url);
  expect(isRunning(redis.pid)).toBe(true);
  expect(existsSync(folder)).toBe(true);

  await redis.kill('SIGSTOP');
  await redis.stop();

  expect(isRunning(redis.pid)).toBe(false);
  expect(existsSync(folder)).toBe(false);
});

test('a port that is in use is reported', async () => {
  const { port } = new URL(inject('redisUrl'));

  await expect(startRedis({ port: Number(port) })).rejects.toThrow('Address already in use');
});
