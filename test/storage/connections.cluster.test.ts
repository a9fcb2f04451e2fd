import { sql } from 'drizzle-orm';
import { afterEach, beforeAll, expect, inject, test, vi } from 'vitest';
import { openDatabase, prepareDatabase } from '../../src/storage/database.js';
import type { Pool } from '../../src/storage/pool.js';
import { createTestDatabase, type TestDatabase } from '../helpers/database.js';
import { freePort } from '../helpers/free-port.js';
import { startPostgres } from '../helpers/postgres-server.js';
import { certificate, startTls } from '../helpers/postgres-tls.js';

/** How Parley connects to a database by the URL that it was given. */

const log = { debug: vi.fn(), info: vi.fn(), warn: vi.fn(), error: vi.fn() };
let database: TestDatabase;
const pools: Pool[] = [];

beforeAll(async () => {
  database = await createTestDatabase();
});
afterEach(async () => {
  log.warn.mockClear();
  await Promise.all(pools.splice(0).map((pool) => pool.close()));
});

function open(url: string): Pool {
  const pool = openDatabase({ url });
  pools.push(pool);
  return pool;
}

/** The URL of the test's database, at another place. */
function urlAt(place: string, parameters = ''): string {
  const { username, pathname } = new URL(database.url);
  return `postgres://${username}@${place}${pathname}${parameters}`;
}

function prepare(url: string, signal = new AbortController().signal) {
  return prepareDatabase({ url }, log, signal);
}

async function isReachable(url: string): Promise<boolean> {
  await open(url).ping();
  return true;
}

const { port } = inject('postgres');

test.each([
  ['sslmode=require', 1],
  ['sslmode=prefer', 1],
  ['', 1],
  ['sslmode=disable', 0],
  [`sslmode=verify-ca&sslrootcert=${certificate('ca.pem')}`, 1],
  [`sslmode=verify-full&sslrootcert=${certificate('ca.pem')}`, 1],
  [`sslmode=require&sslrootcert=${certificate('ca.pem')}`, 1],
  ['sslmode=no-verify', 1],
])('a server with TLS: %s', async (parameters, secured) => {
  const tls = await startTls(port);
  expect(await isReachable(urlAt(`localhost:${tls.port}`, `?${parameters}`))).toBe(true);
  expect(tls.secured()).toBe(secured);
  await tls.stop();
});

test.each([
  ['verify-full', '127.0.0.1', `&sslrootcert=${certificate('ca.pem')}`, 'sslrootcert in DATABASE_URL'],
  ['verify-full', 'localhost', '', 'sslrootcert in DATABASE_URL'],
  ['verify-ca', 'localhost', '', 'sslrootcert in DATABASE_URL'],
  ['verify-full', 'localhost', '&sslrootcert=system', 'sslrootcert in DATABASE_URL'],
  ['verify-full', 'localhost', '&sslrootcert=/missing.pem', 'The file /missing.pem, which sslrootcert'],
  ['require', 'localhost', '&sslcert=/missing.pem', 'The file /missing.pem, which sslcert'],
  ['require', 'localhost', '&sslcert=/etc/hostname', 'as PEM'],
  ['verify-full', 'localhost', '&sslrootcert=/tmp', 'The file /tmp, which sslrootcert'],
])('%s refuses the certificate of %s with %s', async (mode, host, others, cure) => {
  const tls = await startTls(port);
  await expect(prepare(urlAt(`${host}:${tls.port}`, `?sslmode=${mode}${others}`))).rejects.toMatchObject({
    name: 'StartupError',
    message: expect.stringContaining(cure),
  });
  await tls.stop();
});

test('a certificate of an authority is checked without the name of the host by verify-ca', async () => {
  const tls = await startTls(port);
  const parameters = `?sslmode=verify-ca&sslrootcert=${certificate('ca.pem')}`;
  expect(await isReachable(urlAt(`127.0.0.1:${tls.port}`, parameters))).toBe(true);
  await tls.stop();
});

test('a server that wants a certificate of its clients gets one', async () => {
  const tls = await startTls(port, { clients: true });
  const own = `&sslcert=${certificate('client.pem')}&sslkey=${certificate('client.key')}`;
  expect(await isReachable(urlAt(`localhost:${tls.port}`, `?sslmode=require${own}`))).toBe(true);
  await tls.stop();
});

test.each(['require', 'verify-ca', 'verify-full'])('%s refuses a server without TLS', async (mode) => {
  await expect(prepare(urlAt(`127.0.0.1:${port}`, `?sslmode=${mode}`))).rejects.toMatchObject({
    name: 'StartupError',
    message: expect.stringContaining('offers no TLS'),
  });
});

test('a pool recovers when a server offers TLS again', async () => {
  const tls = await startTls(port);
  tls.offer(false);
  const pool = open(urlAt(`localhost:${tls.port}`, '?sslmode=require'));
  // More often than the pool has connections.
  for (let attempt = 0; attempt < 15; attempt += 1)
    await expect(pool.ping()).rejects.toMatchObject({
      cause: { message: expect.stringContaining('offers no TLS') },
    });
  tls.offer(true);
  await pool.ping();
  await tls.stop();
});

test('several hosts: the first that accepts connections is used, wherever it stands', async () => {
  const closed = await freePort();
  for (const hosts of [`127.0.0.1:${closed},127.0.0.1:${port}`, `127.0.0.1:${port},127.0.0.1:${closed}`])
    expect(await isReachable(urlAt(hosts))).toBe(true);
  await expect(open(urlAt(`127.0.0.1:${closed},127.0.0.1:${closed}`)).ping()).rejects.toThrow();
});

test('a Unix socket, as its folder in the host or in a parameter', async () => {
  const { socketHost, username } = inject('postgres');
  const { name } = database;
  for (const url of [
    `postgres://${username}@${encodeURIComponent(socketHost)}:${port}/${name}?sslmode=require`,
    `postgres://${username}@/${name}?host=${socketHost}&port=${port}`,
    `postgres://${username}@ignored/${name}?host=${socketHost}&port=${port}&sslmode=verify-full`,
  ])
    expect(await isReachable(url)).toBe(true);
});

test('target_session_attrs finds the primary among the servers', async () => {
  const standby = await startPostgres();
  await standby.halt();
  await standby.resume({ asStandby: true });
  const [user] = [new URL(standby.url).username];
  const { pathname } = new URL(standby.url);
  const url = (parameters: string) =>
    `postgres://${user}@127.0.0.1:${standby.port},127.0.0.1:${port}${pathname}${parameters}`;
  const inRecovery = async (pool: Pool) => {
    const [row] = await pool.run((db) =>
      db.execute<{ standby: boolean }>(sql`select pg_is_in_recovery() as standby`),
    );
    return row?.standby;
  };

  expect(await inRecovery(open(url('')))).toBe(true);
  for (let count = 0; count < 5; count += 1)
    expect(await inRecovery(open(url('?target_session_attrs=read-write')))).toBe(false);
  await expect(prepare(standby.url)).rejects.toThrow('The database server is a standby');
  await standby.stop();
});

test('parameters that Parley does not know are ignored, and named once', async () => {
  const url = urlAt(
    `127.0.0.1:${port}`,
    '?channel_binding=prefer&keepalives=1&connection_limit=5&application_name=shop',
  );
  await prepare(url);
  expect(log.warn.mock.calls).toEqual([
    [{ parameters: ['channel_binding', 'keepalives', 'connection_limit'] }, expect.any(String)],
  ]);
  const [row] = await open(url).run((db) =>
    db.execute(sql`select current_setting('application_name') as name`),
  );
  expect(row).toEqual({ name: 'shop' });
});
