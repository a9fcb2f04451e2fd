import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { at, connect, LOBBY, page, send, signUp, subscribe } from '../helpers/client.js';
import { freePort } from '../helpers/free-port.js';
import { runParley } from '../helpers/process.js';
import { openSocketOf } from '../helpers/raw-socket.js';
import { temporaryFolder } from '../helpers/temporary-folder.js';

/** The product as a new user starts it: `node dist/bin/server.js` in an empty folder. */

/**
 * The process id of the Postgres that serves the data of this working folder; null if there is none. It is read from the pid
 * file, which Postgres removes last: the process itself may stay a zombie for a while, until its new parent reaps it.
 */
async function postgresOf(cwd: string): Promise<number | null> {
  const file = await readFile(join(cwd, '.data', 'postgres', 'postmaster.pid'), 'utf8').catch(() => null);
  return file === null ? null : Number(file.split('\n')[0]);
}

test('acknowledged messages and tokens survive a kill -9', async () => {
  const folder = temporaryFolder('process');
  const first = await runParley({}, { cwd: folder.path });
  const { url } = await first.ready;
  const alice = await signUp(url);
  const edge = await send(alice, LOBBY, 'before the kill');
  const postgres = await postgresOf(folder.path);
  expect(postgres).toBeGreaterThan(0);
  first.kill('SIGKILL');
  await first.exited;

  const second = await runParley({}, { cwd: folder.path });
  const again = at((await second.ready).url, alice);
  // The Postgres was left running and is taken over.
  expect(await postgresOf(folder.path)).toBe(postgres);
  expect((await page(again, LOBBY)).edges.at(-1)).toEqual(edge);
  const next = await send(again, LOBBY, 'after the kill');
  expect(next.node.seq).toBe(edge.node.seq + 1);

  // The same after an orderly stop.
  expect(await second.stop()).toEqual({ code: 0, signal: null });
  expect(await postgresOf(folder.path)).toBe(null);
  const third = await runParley({}, { cwd: folder.path });
  const edges = (await page(at((await third.ready).url, alice), LOBBY)).edges;
  expect(edges.slice(-2)).toEqual([edge, next]);
  await third.stop();
  await folder.clear();
}, 60_000);

test('DATA_DIR contains the database and the secret, and a second process on it fails with one line', async () => {
  const folder = temporaryFolder('process');
  const env = { DATA_DIR: 'kept/here' };
  const first = await runParley(env, { cwd: folder.path });
  await first.ready;
  const kept = join(folder.path, 'kept', 'here');
  expect(await readdir(kept)).toEqual(expect.arrayContaining(['jwt-secret', 'postgres']));
  expect(await readdir(join(kept, 'postgres'))).toContain('postmaster.pid');
  expect(await readdir(folder.path)).not.toContain('.data');

  const second = await runParley(env, { cwd: folder.path });

  expect(await second.exited).toEqual({ code: 1, signal: null });
  expect(second.output().trim().split('\n')).toHaveLength(1);
  expect(second.output()).toContain('in use by another Parley');
  await first.stop();
  await folder.clear();
}, 60_000);

test('the new-epoch command fails while Parley runs; otherwise it makes every old cursor end with HISTORY_GAP', async () => {
  const folder = temporaryFolder('process');
  const options = { cwd: folder.path };
  const first = await runParley({}, options);
  const { url } = await first.ready;
  const alice = await signUp(url);
  const { liveCursor } = await page(alice, LOBBY);
  const refused = await runParley({}, { ...options, script: 'new-epoch.js' });
  expect(await refused.exited).toEqual({ code: 1, signal: null });
  expect(refused.output()).toContain('in use by another Parley');
  expect((await page(alice, LOBBY)).liveCursor).toBe(liveCursor);
  await first.stop();

  const renewed = await runParley({}, { ...options, script: 'new-epoch.js' });
  expect(await renewed.exited, renewed.output()).toEqual({ code: 0, signal: null });
  expect(await postgresOf(folder.path)).toBe(null);

  const second = await runParley({}, options);
  const again = at((await second.ready).url, alice);
  const client = connect((await second.ready).url.replace('http', 'ws'), { token: alice.token });
  expect(await subscribe(client, LOBBY, liveCursor).ended).toMatchObject([
    { extensions: { code: 'HISTORY_GAP', reason: 'RESET' } },
  ]);
  expect((await page(again, LOBBY)).liveCursor).not.toBe(liveCursor);
  await second.stop();
  await folder.clear();
}, 60_000);

test('a port that is in use is reported in one line', async () => {
  const other = createServer().listen(0, '::');
  await once(other, 'listening');
  const address = other.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  const parley = await runParley({ PORT: String(port) });

  expect(await parley.exited).toEqual({ code: 1, signal: null });
  expect(parley.output().trim()).toBe(`Port ${port} is in use by another program: set PORT to a free one.`);
  other.close();
});

test('each invalid setting is reported in one line, and production reports the settings that it requires', async () => {
  const wrong = await runParley({ PORT: 'x', JWT_SECRET: 'short', REDIS_URL: 'http://localhost' });
  expect(await wrong.exited).toEqual({ code: 1, signal: null });
  const lines = wrong.output().trim().split('\n');
  expect(lines.map((line) => line.split(' ')[0])).toEqual(['PORT', 'REDIS_URL', 'JWT_SECRET']);
  expect(wrong.output()).not.toContain('short');

  const production = await runParley({ NODE_ENV: 'production' });
  expect(await production.exited).toEqual({ code: 1, signal: null });
  expect(production.output()).toMatch(/^DATABASE_URL must be set/m);
  expect(production.output()).toMatch(/^JWT_SECRET must be set/m);
});

test('on SIGTERM, sockets are closed with 1012, and the process exits with 0 and stops its Postgres', async () => {
  const folder = temporaryFolder('process');
  const parley = await runParley({}, { cwd: folder.path });
  const { url } = await parley.ready;
  const alice = await signUp(url);
  const client = connect(url.replace('http', 'ws'), { token: alice.token });
  const closed = new Promise<unknown>((resolve) => client.on('closed', resolve));
  const { liveCursor } = await page(alice, LOBBY);
  const subscription = subscribe(client, LOBBY, liveCursor);
  await send(alice, LOBBY, 'hello');
  await subscription.received(1);
  expect(await postgresOf(folder.path)).toBeGreaterThan(0);

  parley.kill('SIGTERM');

  expect(await closed).toMatchObject({ code: 1012 });
  expect(await parley.exited).toEqual({ code: 0, signal: null });
  expect(await postgresOf(folder.path)).toBe(null);
  await folder.clear();
}, 60_000);

test('a second SIGTERM ends a drain at once', async () => {
  const folder = temporaryFolder('process');
  const parley = await runParley({ DRAIN_SECONDS: '600' }, { cwd: folder.path });
  const { url } = await parley.ready;
  const alice = await signUp(url);
  // The first of two is closed at once, the other one after half of the time.
  const sockets = await Promise.all([1, 2].map(() => openSocketOf(alice, url.replace('http', 'ws'))));

  parley.kill('SIGTERM');
  await expect.poll(() => parley.output()).toContain('Parley is stopping');
  // A signal within half a second counts as an echo of the first one.
  const again = setInterval(() => parley.kill('SIGTERM'), 100);

  expect(await parley.exited).toEqual({ code: 1, signal: null });
  clearInterval(again);
  expect((await Promise.all(sockets.map(({ closed }) => closed))).map(({ code }) => code)).toContain(1006);
  await parley.stop();
  await folder.clear();
}, 60_000);

test('a SIGTERM to `npm start` stops the server, although the shell in between does not forward it', async () => {
  const folder = temporaryFolder('process');
  const port = String(await freePort());
  // Without `prestart`, which would rebuild `dist` while other tests use it.
  const npm = spawn('npm', ['start', '--ignore-scripts'], {
    env: { ...process.env, PORT: port, DATA_DIR: folder.path, LOG_LEVEL: 'info' },
    stdio: 'ignore',
    detached: true,
  });
  const exited = once(npm, 'exit');
  const health = async () =>
    fetch(`http://127.0.0.1:${port}/ready`).then(
      ({ status }) => status,
      () => null,
    );
  try {
    await expect.poll(health, { timeout: 30_000 }).toBe(200);
    npm.kill('SIGTERM');
    await exited;
    await expect.poll(health, { timeout: 10_000 }).toBe(null);
  } finally {
    try {
      // Kills what is left of the process group.
      if (npm.pid !== undefined) process.kill(-npm.pid, 'SIGKILL');
    } catch {
      // Nothing is left.
    }
    await folder.clear();
  }
}, 60_000);

test('a process that does not stop exits with status 1 at its deadline', async () => {
  const module = new URL('../../dist/bin/process.js', import.meta.url).href;
  const code = `
    import { exitAfter } from ${JSON.stringify(module)};
    exitAfter(100, () => console.log('late'));
    setInterval(() => {}, 1000);
  `;
  const child = spawn(process.execPath, ['--input-type=module', '-e', code], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [output] = await once(child.stdout, 'data');
  const [status] = await once(child, 'exit');

  expect(String(output)).toBe('late\n');
  expect(status).toBe(1);
});
