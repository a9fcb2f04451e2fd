import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { existsSync, watch } from 'node:fs';
import {
  chmod,
  chown,
  cp,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  rmdir,
  stat,
  writeFile,
} from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import postgres from 'postgres';
import { afterAll, afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { firstInaccessibleFolder, ROOT_FOLDER } from '../../src/embedded-postgres/account.js';
import { findBinaryPackage, prepareBinaries } from '../../src/embedded-postgres/binaries.js';
import { type EmbeddedPostgresOptions, startEmbeddedPostgres } from '../../src/embedded-postgres/index.js';
import { isServing, readPostmaster, stopServer } from '../../src/embedded-postgres/server.js';
import { StartupError } from '../../src/startup-error.js';

vi.setConfig({ testTimeout: 90_000, hookTimeout: 30_000 });

const asRoot = process.getuid?.() === 0;
const NOBODY = { uid: 65534, gid: 65534 };

let dataDir: string;
/** Called in reverse order, so that a server is stopped before its folder is removed. */
let cleanups: (() => Promise<unknown>)[];

beforeEach(async () => {
  cleanups = [];
  dataDir = join(await temporaryFolder(0o755), 'data');
});

afterEach(async () => {
  for (const cleanUp of cleanups.reverse()) await cleanUp();
});

async function temporaryFolder(mode: number): Promise<string> {
  const folder = await mkdtemp('/tmp/parley-test-');
  cleanups.push(() => rm(folder, { recursive: true, force: true }));
  await chmod(folder, mode);
  return folder;
}

/** A data folder that a first start has filled. */
let filledFolder: string | undefined;
afterAll(async () => {
  if (filledFolder !== undefined) await rm(filledFolder, { recursive: true, force: true });
});

/** Fills the data folder as a first start does, which takes seconds. */
async function fillDataFolder(): Promise<void> {
  if (filledFolder === undefined) {
    const folder = await mkdtemp('/tmp/parley-test-');
    await chmod(folder, 0o755);
    const first = await startEmbeddedPostgres({ dataDir: folder, log: () => undefined });
    await first.stop();
    filledFolder = folder;
  }
  // With owners, which `fs.cp` does not copy.
  execFileSync('cp', ['-a', filledFolder, dataDir]);
}

/** Starts a server in this process. After the test, it or the one that replaced it is stopped. */
async function start(more: Partial<EmbeddedPostgresOptions> = {}) {
  const logged: string[] = [];
  const server = await startEmbeddedPostgres({ dataDir, log: (line) => logged.push(line), ...more });
  cleanups.push(() => endServer(server.dataFolder));
  return { ...server, logged, ...(await pidOf(server.dataFolder)) };
}

async function pidOf(dataFolder: string): Promise<{ pid: number }> {
  const postmaster = await readPostmaster(join(dataFolder, 'postgres'));
  if (postmaster === undefined) throw new Error(`no server in ${dataFolder}`);
  return { pid: postmaster.pid };
}

async function endServer(dataFolder: string): Promise<void> {
  const cluster = join(dataFolder, 'postgres');
  const postmaster = await readPostmaster(cluster);
  if (postmaster === undefined) return;
  await stopServer(postmaster.pid, cluster, 'unused');
  await rm(postmaster.host, { recursive: true, force: true });
}

/** Opens a connection that is closed after the test. */
function connect(connection: postgres.Options<Record<string, never>>) {
  const sql = postgres({ ...connection, max: 1, onnotice: () => undefined });
  cleanups.push(() => sql.end({ timeout: 0 }));
  return sql;
}

/** Another process that starts a server, prints the outcome, and stops the server when its stdin ends. */
function otherProcess(): { child: ChildProcess; outcome: Promise<Record<string, unknown>> } {
  const source = new URL('../../src/embedded-postgres/index.ts', import.meta.url);
  const code = `
    const { startEmbeddedPostgres } = await import(${JSON.stringify(source.href)});
    const print = (outcome) => console.log(JSON.stringify(outcome));
    try {
      const server = await startEmbeddedPostgres({ dataDir: ${JSON.stringify(dataDir)}, log: () => {} });
      print({ started: server.connection });
      for await (const _ of process.stdin);
      await server.stop();
    } catch (error) {
      print({ refused: error.name, message: error.message });
    }`;
  const tsx = createRequire(import.meta.url).resolve('tsx');
  const args = ['--import', tsx, '--input-type=module', '--eval', code];
  const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'], detached: true });
  const exited = exitOf(child);
  cleanups.push(async () => {
    child.stdin?.end();
    await exited;
    if (existsSync(join(dataDir, 'postgres'))) await endServer(dataDir);
  });
  const outcome = new Promise<Record<string, unknown>>((resolve, reject) => {
    if (child.stdout === null) throw new Error('stdout is not a pipe');
    createInterface(child.stdout).once('line', (line) => resolve(JSON.parse(line)));
    child.once('exit', (code, signal) => reject(new Error(`ended early (${code ?? signal})`)));
  });
  // A test that kills the process does not wait for its outcome.
  outcome.catch(() => undefined);
  return { child, outcome };
}

function exitOf(child: ChildProcess): Promise<unknown> {
  return new Promise((resolve) => child.once('exit', resolve));
}

/** Sends a signal to the process group, as a terminal does, and waits until the process has ended. */
async function signalGroup(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.pid === undefined) throw new Error('the process did not start');
  const exited = exitOf(child);
  process.kill(-child.pid, signal);
  await exited;
}

/** Kills a server with SIGKILL and waits until it has ended. */
async function killServer(pid: number): Promise<void> {
  process.kill(pid, 'SIGKILL');
  await vi.waitFor(async () => expect(await isServing(pid, join(dataDir, 'postgres'))).toBe(false), 10_000);
}

/** A promise that is resolved from outside. */
function signal() {
  let give: () => void = () => undefined;
  const given = new Promise<void>((resolve) => {
    give = resolve;
  });
  return { give, given };
}

describe('a first start', () => {
  test('a first start creates a database with UTF8, the builtin locale and durable settings', async () => {
    const server = await start();
    const sql = connect(server.connection);
    const [database] = await sql`
      select datname, pg_encoding_to_char(encoding) as encoding, datlocprovider, datlocale
      from pg_database where datname = current_database()`;
    expect(database).toEqual({
      datname: 'parley',
      encoding: 'UTF8',
      datlocprovider: 'b',
      datlocale: 'C.UTF-8',
    });
    const names = ['fsync', 'synchronous_commit', 'full_page_writes', 'listen_addresses', 'max_connections'];
    const settings = await sql`select name, setting from pg_settings where name in ${sql(names)}`;
    expect(Object.fromEntries(settings.map(({ name, setting }) => [name, setting]))).toEqual({
      fsync: 'on',
      full_page_writes: 'on',
      listen_addresses: '',
      max_connections: '60',
      synchronous_commit: 'on',
    });
    expect(server.dataFolder).toBe(dataDir);
    expect(server.logged).toEqual([]);
  });

  test('other users cannot access the socket', async () => {
    await fillDataFolder();
    const { connection } = await start();
    const folder = await stat(connection.host);
    expect(folder.mode & 0o777).toBe(0o700);
    expect(folder.uid).toBe(asRoot ? NOBODY.uid : process.getuid?.());
  });

  test('other users cannot access the data and the log', async () => {
    await start();
    const owner = asRoot ? NOBODY.uid : process.getuid?.();
    const modes: Record<string, number> = { postgres: 0o700, 'postgres.log': 0o600 };
    for (const [name, expected] of Object.entries(modes)) {
      const { mode, uid } = await stat(join(dataDir, name));
      expect(mode & 0o777, name).toBe(expected);
      expect(uid, name).toBe(owner);
    }
  });

  test('the socket is in /tmp if the path of the temporary folder is too long', async () => {
    const long = join(await temporaryFolder(0o755), 'x'.repeat(80));
    await mkdir(long);
    vi.stubEnv('TMPDIR', long);
    onTestFinished(() => void vi.unstubAllEnvs());
    const { connection } = await start();
    expect(dirname(connection.host)).toBe('/tmp');
  });

  test('a start passes settings to the server', async () => {
    await fillDataFolder();
    const sql = connect((await start({ settings: { work_mem: '7MB' } })).connection);
    expect(await sql`show work_mem`).toEqual([{ work_mem: '7MB' }]);
  });

  test('a start removes the files that a killed first start left, but not those that a running one uses', async () => {
    await mkdir(dataDir);
    const initdbBegan = signal();
    const watcher = watch(dataDir, () => initdbBegan.give());
    const { child } = otherProcess();
    await initdbBegan.given;
    watcher.close();
    await signalGroup(child, 'SIGKILL');
    const left = await readdir(dataDir);
    expect(left).toEqual([expect.stringMatching(/^postgres\.new-/)]);

    const inUse = `postgres.new-${process.ppid}-AbCdEf`;
    await mkdir(join(dataDir, inUse));
    await start();
    expect((await readdir(dataDir)).sort()).toEqual(['postgres', 'postgres.log', inUse].sort());
  });
});

describe('a stop', () => {
  beforeEach(fillDataFolder);

  test('a stop leaves no process, socket folder or pid file, and is idempotent', async () => {
    const server = await start();
    await Promise.all([server.stop(), server.stop()]);
    await server.stop();
    expect(await isServing(server.pid, join(dataDir, 'postgres'))).toBe(false);
    expect(existsSync(server.connection.host)).toBe(false);
    expect(existsSync(join(dataDir, 'postgres/postmaster.pid'))).toBe(false);
  });

  test('a stop does not wait for clients, and loses no committed data', async () => {
    const first = await start();
    const sql = connect(first.connection);
    await sql`create table note (text text)`;
    await sql`insert into note values ('kept')`;
    const sleeping = sql`select pg_sleep(600)`.catch((error: Error) => error);
    await first.stop();
    expect(await sleeping).toBeInstanceOf(Error);

    const second = await start();
    expect(await connect(second.connection)`select text from note`).toEqual([{ text: 'kept' }]);
    expect(second.logged).toEqual([]);
  });

  test('a waiting start does not adopt a server that is stopping', async () => {
    const first = await start();
    const sql = connect({ ...first.connection, database: 'postgres' });
    const starting = start();
    const isWaiting = async () =>
      (await sql`select from pg_locks where locktype = 'advisory' and not granted`).length > 0;
    await vi.waitUntil(isWaiting, { interval: 5, timeout: 10_000 });
    await first.stop();
    const second = await starting;
    expect(await connect(second.connection)`select 1 as one`).toEqual([{ one: 1 }]);
    expect(second.pid).not.toBe(first.pid);
  });
});

describe('a second process', () => {
  beforeEach(fillDataFolder);

  test('a second process is rejected with the name of the folder while the first one runs', async () => {
    await start();
    const { outcome } = otherProcess();
    expect(await outcome).toEqual({
      refused: 'StartupError',
      message: `The data folder ${dataDir} is in use by another Parley process: stop it, or set DATA_DIR to another folder.`,
    });
  });

  test('exactly one of several processes that start on an empty folder at once succeeds', async () => {
    await rm(dataDir, { recursive: true });
    const others = [otherProcess(), otherProcess(), otherProcess()];
    const outcomes = await Promise.all(others.map(({ outcome }) => outcome));
    const started = outcomes.flatMap((outcome) => ('started' in outcome ? [outcome.started] : []));
    expect(started).toHaveLength(1);
    expect(outcomes.filter((outcome) => outcome.refused === 'StartupError')).toHaveLength(2);
    expect((await readdir(dataDir)).sort()).toEqual(['postgres', 'postgres.log']);
    const [connection] = started;
    const sql = connect(connection as postgres.Options<Record<string, never>>); // printed by our own script
    expect(await sql`select current_database() as name`).toEqual([{ name: 'parley' }]);
  });

  test.each(['SIGINT', 'SIGKILL'] as const)(
    'a second process adopts the server of a process that %s ended',
    async (kind) => {
      const { child, outcome } = otherProcess();
      expect(await outcome).toHaveProperty('started');
      const orphan = await pidOf(dataDir);
      await signalGroup(child, kind);

      const server = await start();
      expect(server.pid).toBe(orphan.pid);
      expect(server.logged).toEqual([expect.stringContaining(`${dataDir} that was left running`)]);
      await server.stop();
      expect(await isServing(orphan.pid, join(dataDir, 'postgres'))).toBe(false);
    },
  );
});

describe('a server that dies', () => {
  beforeEach(fillDataFolder);

  test('a server that dies is reported to its owner once, and replaced by the next start', async () => {
    const gone = signal();
    const onLost = vi.fn(gone.give);
    const first = await start({ onLost });
    const sql = connect(first.connection);
    await sql`create table note (text text)`;
    await sql`insert into note values ('kept')`;
    await killServer(first.pid);
    await gone.given;
    expect(first.logged.at(-1)).toContain('is gone');

    const second = await start();
    expect(second.pid).not.toBe(first.pid);
    expect(await connect(second.connection)`select text from note`).toEqual([{ text: 'kept' }]);
    expect(existsSync(first.connection.host)).toBe(false);
    await first.stop();
    expect(await isServing(second.pid, join(dataDir, 'postgres'))).toBe(true);
    expect(onLost).toHaveBeenCalledOnce();
  });

  test('a server that died is replaced even if another program has its process id', async () => {
    const first = await start();
    const pidFile = join(dataDir, 'postgres/postmaster.pid');
    const text = await readFile(pidFile, 'utf8');
    await first.stop();
    await writeFile(pidFile, text.replace(/^\d+/, String(process.ppid)));
    if (asRoot) await chown(pidFile, NOBODY.uid, NOBODY.gid);

    const second = await start();
    expect(await connect(second.connection)`select 1 as one`).toEqual([{ one: 1 }]);
  });

  test('a server that only disconnected its clients is still owned', async () => {
    const back = signal();
    const { connection } = await start({ log: (line) => line.includes('is back') && back.give() });
    const sql = connect({ ...connection, database: 'postgres' });
    await sql`select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'parley owner'`;
    await back.given;
    expect(await otherProcess().outcome).toMatchObject({ refused: 'StartupError' });
  });
});

describe('a server without its socket folder', () => {
  beforeEach(fillDataFolder);

  test('a server without its socket folder is stopped and replaced, and the data is kept', async () => {
    const { child, outcome } = otherProcess();
    const { started } = await outcome;
    const sql = connect(started as postgres.Options<Record<string, never>>); // printed by our own script
    await sql`create table note as select 'kept' as text`;
    const { host } = (await readPostmaster(join(dataDir, 'postgres'))) ?? { host: '' };
    expect(host).toMatch(/parley-/);
    const orphan = await pidOf(dataDir);
    await signalGroup(child, 'SIGKILL');
    await rm(host, { recursive: true });

    const server = await start();
    expect(await connect(server.connection)`select text from note`).toEqual([{ text: 'kept' }]);
    expect(await isServing(orphan.pid, join(dataDir, 'postgres'))).toBe(false);
  });
});

describe('a start that fails', () => {
  test('a start that fails reports the last error of the log in one line, and leaves no socket folder', async () => {
    const temporary = await temporaryFolder(0o755);
    vi.stubEnv('TMPDIR', temporary);
    onTestFinished(() => void vi.unstubAllEnvs());
    if (asRoot) await chmod(temporary, 0o777);
    const failed = start({ settings: { work_mem: 'plenty' } });
    await expect(failed).rejects.toThrow(StartupError);
    await expect(failed).rejects.toThrow(/^Postgres did not start in .*work_mem.*"plenty"$/);
    expect(await readdir(temporary)).toEqual([]);
  });

  test('a start reports a folder that is not a cluster', async () => {
    await mkdir(join(dataDir, 'postgres/photos'), { recursive: true });
    if (asRoot) await chown(join(dataDir, 'postgres'), NOBODY.uid, NOBODY.gid);
    await expect(start()).rejects.toThrow(/postgres is not a Postgres data folder/);
    expect(await readdir(dataDir)).toEqual(['postgres']);
  });

  test('a start reports a data folder that is a file', async () => {
    await writeFile(dataDir, '');
    await expect(start()).rejects.toThrow(StartupError);
  });

  test('a start without binaries names the missing package and DATABASE_URL', async () => {
    const missing = findBinaryPackage('win32', 'riscv64');
    await expect(missing).rejects.toThrow(StartupError);
    await expect(missing).rejects.toThrow(/@embedded-postgres\/windows-riscv64 .*DATABASE_URL/);
  });
});

describe('the log', () => {
  beforeEach(fillDataFolder);

  test('a start appends to the log, and empties it if it is larger than 10 MB', async () => {
    await (await start()).stop();
    const path = join(dataDir, 'postgres.log');
    const { size } = await stat(path);
    await (await start()).stop();
    expect((await stat(path)).size).toBeGreaterThan(size);

    await writeFile(path, Buffer.alloc(11 * 1024 * 1024, 'x'));
    await (await start()).stop();
    const text = await readFile(path, 'utf8');
    expect(text.length).toBeLessThan(100_000);
    expect(text).toContain('ready to accept connections');
  });
});

describe.runIf(asRoot && process.platform === 'linux')('as root', () => {
  beforeEach(() => {
    // Runs last. Fails harmlessly if something else is in the folder.
    cleanups.unshift(() => rmdir(ROOT_FOLDER).catch(() => undefined));
  });

  test('as root, a start puts the data where `nobody` can reach it, logs that, and finds it again', async () => {
    const closed = await temporaryFolder(0o700);
    dataDir = join(closed, 'data');
    const first = await start();
    cleanups.push(() => rm(first.dataFolder, { recursive: true, force: true }));
    cleanups.push(() => first.stop());
    expect(dirname(first.dataFolder)).toBe(ROOT_FOLDER);
    expect(first.logged).toEqual([expect.stringContaining(`The data is in ${first.dataFolder}`)]);
    await connect(first.connection)`create table note as select 'kept' as text`;
    await first.stop();

    await chmod(closed, 0o755);
    const second = await start();
    expect(second.dataFolder).toBe(first.dataFolder);
    expect(await connect(second.connection)`select text from note`).toEqual([{ text: 'kept' }]);
    await second.stop();
  });

  test('as root, a start does not create a new cluster if the old one has become inaccessible', async () => {
    await (await start()).stop();
    await chmod(dirname(dataDir), 0o700);
    await expect(start()).rejects.toThrow(`cannot enter ${dirname(dataDir)}`);
  });

  test('as root, Postgres runs as the user who owns the data', async () => {
    const other = { uid: 12345, gid: 12345 };
    await (await start()).stop();
    expect(spawnSync('chown', ['-R', `${other.uid}:${other.gid}`, dataDir]).status).toBe(0);
    await start();
    expect((await stat(join(dataDir, 'postgres/postmaster.pid'))).uid).toBe(other.uid);
  });

  test('as root, a start copies binaries that `nobody` cannot reach, and repairs links and executable bits', async () => {
    const closed = await temporaryFolder(0o700);
    const { native, platform } = await findBinaryPackage();
    const damaged = join(closed, 'native');
    await cp(native, damaged, {
      recursive: true,
      verbatimSymlinks: true,
      filter: async (path) => !(await isLink(path)),
    });
    for (const program of await readdir(join(damaged, 'bin')))
      await chmod(join(damaged, 'bin', program), 0o644);
    const version = `test-${process.pid}`;
    const copy = join(ROOT_FOLDER, `bin-${version}-${platform}`);
    cleanups.push(() => rm(copy, { recursive: true, force: true }));

    const found = { native: damaged, version, platform };
    const logged: string[] = [];
    const prepared = await Promise.all(
      [1, 2].map(() => prepareBinaries(found, NOBODY, (line) => logged.push(line))),
    );
    const [binaries] = prepared;
    expect(prepared[1]).toEqual(binaries);
    expect(dirname(dirname(binaries?.initdb ?? ''))).toBe(copy);
    expect(logged).toEqual([expect.stringContaining(copy)]);
    expect(await firstInaccessibleFolder(join(copy, 'bin'), NOBODY)).toBeUndefined();
    expect(
      (await readdir(ROOT_FOLDER)).filter((name) => name.includes(`${version}-${platform}.new`)),
    ).toEqual([]);
    // initdb finds libpq by a name that is a link.
    const run = spawnSync(binaries?.initdb ?? '', ['--version'], { ...NOBODY, cwd: '/', encoding: 'utf8' });
    expect(run).toMatchObject({ status: 0, stdout: expect.stringContaining('PostgreSQL') });
  });
});

async function isLink(path: string): Promise<boolean> {
  return (await lstat(path)).isSymbolicLink();
}

test.runIf(process.platform !== 'win32')('no other user can connect to the socket', async () => {
  const { connection, dataFolder } = await start();
  const rules = await readFile(join(dataFolder, 'postgres/parley_hba.conf'), 'utf8');
  expect(rules.trim().split('\n')).toEqual(['local all all peer map=parley']);
  const [row] = await connect(connection)`select system_user as name`;
  expect(row?.name).toMatch(/^peer:/);
});

test.runIf(asRoot)('started by root, a program that runs as nobody cannot connect', async () => {
  const { connection } = await start();
  // Without packages: nobody may not enter the folder of this repository.
  const startup = 'user\0parley\0database\0postgres\0\0';
  const script = `
    const socket = require('node:net').connect(${JSON.stringify(`${connection.host}/.s.PGSQL.${connection.port}`)});
    const startup = Buffer.from(${JSON.stringify(startup)});
    const head = Buffer.alloc(8);
    head.writeInt32BE(startup.length + 8, 0);
    head.writeInt32BE(196608, 4);
    socket.write(Buffer.concat([head, startup]));
    socket.on('data', (answer) => console.log(answer.toString('latin1')));
    socket.on('error', (error) => console.log(error.message));
    setTimeout(() => process.exit(), 2000);`;
  const folder = await temporaryFolder(0o755);
  const { stdout, stderr } = spawnSync(process.execPath, ['-e', script], {
    ...NOBODY,
    cwd: folder,
    encoding: 'utf8',
  });
  expect(`${stdout}${stderr}`).toContain('Peer authentication failed for user "parley"');
});

test('data of another major version is left alone, with an explanation', async () => {
  const first = await start();
  await first.stop();
  const file = join(first.dataFolder, 'postgres/PG_VERSION');
  const version = await readFile(file, 'utf8');
  await writeFile(file, '17\n');
  await expect(start()).rejects.toThrow(
    /was written by Postgres 17, and this release of Parley contains Postgres \d+/,
  );
  await writeFile(file, version);
  await (await start()).stop();
});
