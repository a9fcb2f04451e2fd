import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { connect as connectTcp, createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import postgres from 'postgres';
import { expect, inject, test } from 'vitest';
import {
  at,
  connect,
  createRoom,
  joinRoom,
  LOBBY,
  page,
  request,
  send,
  signUp,
  subscribe,
} from '../helpers/client.js';
import { createTestDatabase } from '../helpers/database.js';
import { freePort } from '../helpers/free-port.js';
import { startParley } from '../helpers/parley.js';
import { runParley } from '../helpers/process.js';
import { openSocketOf } from '../helpers/raw-socket.js';

const JWT_SECRET = 'a secret for tests, longer than 32 bytes';

test('two processes that share Postgres and Redis deliver messages to each other', async () => {
  const database = await createTestDatabase();
  const env = {
    DATABASE_URL: database.url,
    REDIS_URL: inject('redisUrl'),
    REDIS_PREFIX: `test-${randomBytes(6).toString('hex')}`,
    JWT_SECRET,
    NODE_ENV: 'production',
  };
  const [here, there] = await Promise.all([runParley(env), runParley(env)]);
  const [{ url }, other] = await Promise.all([here.ready, there.ready]);
  const alice = await signUp(url);
  const { liveCursor } = await page(alice, LOBBY);
  const subscription = subscribe(
    connect(url.replace('http', 'ws'), { token: alice.token }),
    LOBBY,
    liveCursor,
  );

  const sent = await send(at(other.url, alice), LOBBY, 'from there');

  expect(await subscription.received(1)).toEqual([sent]);
  expect(await there.stop()).toEqual({ code: 0, signal: null });
  expect(await here.stop()).toEqual({ code: 0, signal: null });
}, 60_000);

test('sockets are closed over DRAIN_SECONDS, and a second signal ends the process at once', async () => {
  const database = await createTestDatabase();
  const parley = await runParley({ DATABASE_URL: database.url, JWT_SECRET, DRAIN_SECONDS: '600' });
  const { url } = await parley.ready;
  const alice = await signUp(url);
  const sockets = await Promise.all([1, 2, 3].map(() => openSocketOf(alice, url.replace('http', 'ws'))));
  const start = performance.now();

  parley.kill('SIGTERM');
  // One of the three is closed at once, the others over minutes.
  expect(await Promise.race(sockets.map(({ closed }) => closed))).toMatchObject({ code: 1012 });
  // A second signal within half a second counts as an echo of the first one.
  await sleep(600);
  parley.kill('SIGTERM');

  expect(await parley.exited).toEqual({ code: 1, signal: null });
  expect(performance.now() - start).toBeLessThan(10_000);
  const codes = (await Promise.all(sockets.map(({ closed }) => closed))).map(({ code }) => code);
  expect(codes.sort()).toEqual([1006, 1006, 1012]);
}, 60_000);

test('a process waits for a Postgres that starts later, and is alive but not ready until then', async () => {
  const database = await createTestDatabase();
  const port = await freePort();
  const url = new URL(database.url);
  const to = Number(url.port);
  url.port = String(port);
  const listening = await freePort();
  const parley = await runParley({ DATABASE_URL: url.href, JWT_SECRET, PORT: String(listening) });
  const base = `http://localhost:${listening}`;
  await expect.poll(() => parley.output(), { timeout: 15_000 }).toContain('does not answer yet');

  expect((await fetch(`${base}/health`)).status).toBe(200);
  expect((await fetch(`${base}/ready`)).status).toBe(503);
  expect(await request(`${base}/graphql`, '{ __typename }')).toMatchObject({
    errors: [{ extensions: { code: 'SERVICE_UNAVAILABLE' } }],
  });

  const proxy = createServer((socket) => {
    const upstream = connectTcp(to, '127.0.0.1');
    for (const end of [socket, upstream]) end.on('error', () => {});
    socket.pipe(upstream).pipe(socket);
  }).listen(port, '127.0.0.1');
  await once(proxy, 'listening');
  await parley.ready;

  expect(await (await fetch(`${base}/ready`)).json()).toEqual({
    status: 'ready',
    checks: { database: true, bus: true, rateLimits: true, migrations: true },
    bus: {
      droppedEnvelopes: 0,
      forgedEnvelopes: 0,
      refusedSubscribes: 0,
      unpublished: 0,
      timeouts: 0,
      reconnects: 0,
      foreignEvents: 0,
      missedEvents: 0,
    },
  });
  await parley.stop();
  proxy.close();
}, 60_000);

test('a database that refuses the connection ends the process with one line', async () => {
  const database = await createTestDatabase();
  const parley = await runParley({ DATABASE_URL: `${database.url}_missing`, JWT_SECRET });

  expect(await parley.exited).toEqual({ code: 1, signal: null });
  expect(parley.output().trim()).toBe(
    `The database refused the connection: database "${database.name}_missing" does not exist: create it with CREATE DATABASE, or correct DATABASE_URL.`,
  );
});

test('ten instances that start on an empty database create the tables once, and all become ready', async () => {
  const database = await createTestDatabase();
  const ten = await Promise.all(Array.from({ length: 10 }, () => startParley({ database })));

  const statuses = await Promise.all(
    ten.map(async ({ url }) => (await fetch(url.replace('graphql', 'ready'))).status),
  );
  expect(statuses).toEqual(Array(10).fill(200));
  const sql = postgres(database.url, { max: 1 });
  const [count] = await sql`select
    (select count(*)::int from drizzle.__drizzle_migrations) as migrations,
    (select count(*)::int from meta where key = 'epoch') as epochs,
    (select count(*)::int from rooms) as rooms`;
  await sql.end();
  const migrations = (await readdir('drizzle')).filter((name) => name.endsWith('.sql')).length;
  expect(count).toEqual({ migrations, epochs: 1, rooms: 1 });
  await Promise.all(ten.map((parley) => parley.stop()));
}, 60_000);

test('the new-epoch command ends subscriptions on running instances with HISTORY_GAP', async () => {
  const parley = await startParley();
  const alice = await signUp(parley.url);
  const client = connect(parley.webSocketUrl, { token: alice.token });
  const subscription = subscribe(client, LOBBY, (await page(alice, LOBBY)).liveCursor);
  await send(alice, LOBBY, 'before');
  await subscription.received(1);

  const command = await runParley({ DATABASE_URL: parley.database.url }, { script: 'new-epoch.js' });
  expect(await command.exited, command.output()).toEqual({ code: 0, signal: null });

  expect(await subscription.ended).toMatchObject([{ extensions: { code: 'HISTORY_GAP', reason: 'RESET' } }]);
  await parley.stop();
}, 60_000);

test('the end-account command refuses tokens, closes sockets, and removes the user from each room', async () => {
  const parley = await startParley();
  const [gone, bob] = [await signUp(parley.url), await signUp(parley.url)];
  const room = await createRoom(gone);
  await joinRoom(bob, room);
  await send(gone, room, 'before');
  const socket = await openSocketOf(gone, parley.webSocketUrl);
  socket.subscribe('1', { roomId: room });
  const watching = subscribe(
    connect(parley.webSocketUrl, { token: bob.token }),
    room,
    (await page(bob, room)).liveCursor,
  );

  const environment = { DATABASE_URL: parley.database.url };
  const refused = await runParley(environment, { script: 'end-account.js' });
  expect(await refused.exited).toEqual({ code: 1, signal: null });
  expect(refused.output()).toContain('npm run end-account -- <username>');
  const unknown = await runParley(environment, { script: 'end-account.js', args: ['nobody-of-this-name'] });
  expect(await unknown.exited).toEqual({ code: 1, signal: null });
  expect(unknown.output()).toContain('There is no account with the username nobody-of-this-name');

  const command = await runParley(environment, { script: 'end-account.js', args: [gone.username] });
  expect(await socket.closed).toMatchObject({ code: 4401, reason: 'The account has ended' });
  expect(await command.exited, command.output()).toEqual({ code: 0, signal: null });
  expect(command.output()).toContain('"rooms":2');

  // The subscription of the user has ended with the message that removes them, which others receive.
  await watching.received(1);
  const { edges } = await page(bob, room);
  expect(edges.map(({ node: { type, author } }) => [type, author?.username ?? null])).toEqual([
    ['MEMBER_JOINED', bob.username],
    ['TEXT', null],
    ['MEMBER_REMOVED', null],
  ]);
  await send(bob, room, 'after');
  await watching.received(2);
  expect(JSON.stringify(socket.frames)).not.toContain('after');
  expect((await gone.request('{ viewer { id } }')).errors).toMatchObject([
    { extensions: { code: 'UNAUTHENTICATED', reason: 'INVALID' } },
  ]);
  // An instance that starts later knows it, too.
  await parley.stop();
  const again = await startParley({ database: parley.database });
  expect((await request(again.url, '{ viewer { id } }', {}, gone.token)).errors).toMatchObject([
    { extensions: { code: 'UNAUTHENTICATED' } },
  ]);
  // The command can be repeated.
  const repeated = await runParley(environment, { script: 'end-account.js', args: [gone.username] });
  expect(await repeated.exited, repeated.output()).toEqual({ code: 0, signal: null });
  expect(repeated.output()).toContain('"rooms":0');
  await again.stop();
}, 60_000);
