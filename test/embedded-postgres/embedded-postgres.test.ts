import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
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
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { firstClosedFolder, rootFolder } from '../../src/embedded-postgres/account.js';
import { findBinaryPackage, prepareBinaries } from '../../src/embedded-postgres/binaries.js';
import { type EmbeddedPostgresOptions, startEmbeddedPostgres } from '../../src/embedded-postgres/index.js';
import { isServing, readPostmaster, stopServer } from '../../src/embedded-postgres/server.js';
import { StartupError } from '../../src/startup-error.js';

vi.setConfig({ testTimeout: 90_000, hookTimeout: 30_000 });

const asRoot = process.getuid?.() === 0;
const nobody = { uid: 65534, gid: 65534 };

let dataDir: string;
/** Called in reverse, so that a server is stopped before its folder goes. */
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

/** Starts a server here, and makes sure that it, or whoever took its place, is gone after the test. */
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

/** Runs queries on a connection that ends with the test at the latest. */
function connect(connection: postgres.Options<Record<string, never>>) {
  const sql = postgres({ ...connection, max: 1, onnotice: () => undefined });
  cleanups.push(() => sql.end({ timeout: 0 }));
  return sql;
}

/** Another Parley process: it starts a server, tells how that went, and stops it when its input ends. */
function otherProcess(): { child: ChildProcess; outcome: Promise<Record<string, unknown>> } {
  const source = new URL('../../src/embedded-postgres/index.ts', import.meta.url);
  const code = `
    const { startEmbeddedPostgres } = await import(${JSON.stringify(source.href)});
    const tell = (outcome) => console.log(JSON.stringify(outcome));
    try {
      const server = await startEmbeddedPostgres({ dataDir: ${JSON.stringify(dataDir)}, log: () => {} });
      tell({ started: server.connection });
      for await (const _ of process.stdin);
      await server.stop();
    } catch (error) {
      tell({ refused: error.name, message: error.message });
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
    if (child.stdout === null) throw new Error('no output to read');
    createInterface(child.stdout).once('line', (line) => resolve(JSON.parse(line)));
    child.once('exit', (code, signal) => reject(new Error(`ended early (${code ?? signal})`)));
  });
  // A test that kills the process on purpose does not wait for its outcome.
  outcome.catch(() => undefined);
  return { child, outcome };
}

function exitOf(child: ChildProcess): Promise<unknown> {
  return new Promise((resolve) => child.once('exit', resolve));
}

/** Sends a signal to the process and all of its group, as a terminal does. */
async function signalGroup(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.pid === undefined) throw new Error('it was never started');
  const exited = exitOf(child);
  process.kill(-child.pid, signal);
  await exited;
}

/** Kills a server without warning and waits until it is gone. */
async function killServer(pid: number): Promise<void> {
  process.kill(pid, 'SIGKILL');
  await vi.waitFor(async () => expect(await isServing(pid, join(dataDir, 'postgres'))).toBe(false), 10_000);
}

/** A promise to be settled from outside. */
function signal() {
  let give: () => void = () => undefined;
  const given = new Promise<void>((resolve) => {
    give = resolve;
  });
  return { give, given };
}

describe('a first start', () => {
  it('makes a database with UTF8, the builtin locale and safe settings', async () => {
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

  it('keeps other users away from its socket', async () => {
    const { connection } = await start();
    const folder = await stat(connection.host);
    expect(folder.mode & 0o777).toBe(0o700);
    expect(folder.uid).toBe(asRoot ? nobody.uid : process.getuid?.());
  });

  it('uses /tmp for its socket where the temporary folder has too long a name', async () => {
    const long = join(await temporaryFolder(0o755), 'x'.repeat(80));
    await mkdir(long);
    vi.stubEnv('TMPDIR', long);
    onTestFinished(() => void vi.unstubAllEnvs());
    const { connection } = await start();
    expect(dirname(connection.host)).toBe('/tmp');
  });

  it('takes settings for the server', async () => {
    const sql = connect((await start({ settings: { work_mem: '7MB' } })).connection);
    expect(await sql`show work_mem`).toEqual([{ work_mem: '7MB' }]);
  });

  it('removes what a killed first start left, and nothing of one that is under way', async () => {
    await mkdir(dataDir);
    const initdbBegan = signal();
    const watcher = watch(dataDir, () => initdbBegan.give());
    const { child } = otherProcess();
    await initdbBegan.given;
    watcher.close();
    await signalGroup(child, 'SIGKILL');
    const left = await readdir(dataDir);
    expect(left).toEqual([expect.stringMatching(/^postgres\.new-/)]);

    const underWay = `postgres.new-${process.ppid}-AbCdEf`;
    await mkdir(join(dataDir, underWay));
    await start();
    expect((await readdir(dataDir)).sort()).toEqual(['postgres', 'postgres.log', underWay].sort());
  });
});

describe('a stop', () => {
  it('leaves no process, no socket folder and no pid file, and may be asked for twice', async () => {
    const server = await start();
    await Promise.all([server.stop(), server.stop()]);
    await server.stop();
    expect(await isServing(server.pid, join(dataDir, 'postgres'))).toBe(false);
    expect(existsSync(server.connection.host)).toBe(false);
    expect(existsSync(join(dataDir, 'postgres/postmaster.pid'))).toBe(false);
  });

  it('does not wait for clients, and loses nothing that was committed', async () => {
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

  it('does not hand the server that stops to a start that waits for it', async () => {
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
  it('is refused with the name of the folder while the first one runs', async () => {
    await start();
    const { outcome } = otherProcess();
    expect(await outcome).toEqual({
      refused: 'StartupError',
      message: `The data folder ${dataDir} is in use by another Parley process`,
    });
  });

  it('that starts on the same empty folder at the same time loses, or wins alone', async () => {
    const others = [otherProcess(), otherProcess(), otherProcess()];
    const outcomes = await Promise.all(others.map(({ outcome }) => outcome));
    const started = outcomes.flatMap((outcome) => ('started' in outcome ? [outcome.started] : []));
    expect(started).toHaveLength(1);
    expect(outcomes.filter((outcome) => outcome.refused === 'StartupError')).toHaveLength(2);
    expect((await readdir(dataDir)).sort()).toEqual(['postgres', 'postgres.log']);
    const [connection] = started;
    const sql = connect(connection as postgres.Options<Record<string, never>>); // told by our own script
    expect(await sql`select current_database() as name`).toEqual([{ name: 'parley' }]);
  });

  it.each(['SIGINT', 'SIGKILL'] as const)('adopts the server of one that %s ended', async (kind) => {
    const { child, outcome } = otherProcess();
    expect(await outcome).toHaveProperty('started');
    const orphan = await pidOf(dataDir);
    await signalGroup(child, kind);

    const server = await start();
    expect(server.pid).toBe(orphan.pid);
    expect(server.logged).toEqual([expect.stringContaining(`${dataDir} that was left running`)]);
    await server.stop();
    expect(await isServing(orphan.pid, join(dataDir, 'postgres'))).toBe(false);
  });
});

describe('a server that dies', () => {
  it('is told to its owner, once, and is replaced by the next start', async () => {
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

  it('does not keep its place when its process id went to another program', async () => {
    const first = await start();
    const pidFile = join(dataDir, 'postgres/postmaster.pid');
    const text = await readFile(pidFile, 'utf8');
    await first.stop();
    await writeFile(pidFile, text.replace(/^\d+/, String(process.ppid)));
    if (asRoot) await chown(pidFile, nobody.uid, nobody.gid);

    const second = await start();
    expect(await connect(second.connection)`select 1 as one`).toEqual([{ one: 1 }]);
  });

  it('is owned again when only its clients were cut off', async () => {
    const back = signal();
    const { connection } = await start({ log: (line) => line.includes('is back') && back.give() });
    const sql = connect({ ...connection, database: 'postgres' });
    await sql`select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'parley owner'`;
    await back.given;
    expect(await otherProcess().outcome).toMatchObject({ refused: 'StartupError' });
  });
});

describe('a server without its socket folder', () => {
  it('is stopped and replaced, and keeps its data', async () => {
    const { child, outcome } = otherProcess();
    const { started } = await outcome;
    const sql = connect(started as postgres.Options<Record<string, never>>); // told by our own script
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
  it('tells the last error of the log in one line, and leaves no socket folder', async () => {
    const temporary = await temporaryFolder(0o755);
    vi.stubEnv('TMPDIR', temporary);
    onTestFinished(() => void vi.unstubAllEnvs());
    if (asRoot) await chmod(temporary, 0o777);
    const failed = start({ settings: { work_mem: 'plenty' } });
    await expect(failed).rejects.toThrow(StartupError);
    await expect(failed).rejects.toThrow(/^Postgres did not start in .*work_mem.*"plenty"$/);
    expect(await readdir(temporary)).toEqual([]);
  });

  it('tells of a folder that is no cluster', async () => {
    await mkdir(join(dataDir, 'postgres/photos'), { recursive: true });
    if (asRoot) await chown(join(dataDir, 'postgres'), nobody.uid, nobody.gid);
    await expect(start()).rejects.toThrow(/postgres is not a Postgres data folder/);
    expect(await readdir(dataDir)).toEqual(['postgres']);
  });

  it('tells of a data folder that is a file', async () => {
    await writeFile(dataDir, '');
    await expect(start()).rejects.toThrow(StartupError);
  });

  it('names the package and the way out where there are no binaries', async () => {
    const missing = findBinaryPackage('win32', 'riscv64');
    await expect(missing).rejects.toThrow(StartupError);
    await expect(missing).rejects.toThrow(/@embedded-postgres\/windows-riscv64 .*DATABASE_URL/);
  });
});

describe('the log', () => {
  it('is appended to, and emptied by a start that finds more than 10 MB', async () => {
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
    // Last of all, and only if nobody else keeps something there.
    cleanups.unshift(() => rmdir(rootFolder).catch(() => undefined));
  });

  it('puts the data where nobody can get to it, says so, and finds it again', async () => {
    const closed = await temporaryFolder(0o700);
    dataDir = join(closed, 'data');
    const first = await start();
    cleanups.push(() => rm(first.dataFolder, { recursive: true, force: true }));
    cleanups.push(() => first.stop());
    expect(dirname(first.dataFolder)).toBe(rootFolder);
    expect(first.logged).toEqual([expect.stringContaining(`The data is in ${first.dataFolder}`)]);
    await connect(first.connection)`create table note as select 'kept' as text`;
    await first.stop();

    await chmod(closed, 0o755);
    const second = await start();
    expect(second.dataFolder).toBe(first.dataFolder);
    expect(await connect(second.connection)`select text from note`).toEqual([{ text: 'kept' }]);
    await second.stop();
  });

  it('refuses a new cluster where the old one got out of reach', async () => {
    await (await start()).stop();
    await chmod(dirname(dataDir), 0o700);
    await expect(start()).rejects.toThrow(`can't enter ${dirname(dataDir)}`);
  });

  it('goes on as the user to whom the data belongs', async () => {
    const other = { uid: 12345, gid: 12345 };
    await (await start()).stop();
    expect(spawnSync('chown', ['-R', `${other.uid}:${other.gid}`, dataDir]).status).toBe(0);
    await start();
    expect((await stat(join(dataDir, 'postgres/postmaster.pid'))).uid).toBe(other.uid);
  });

  it('copies binaries that nobody can get to, and mends links and executable bits', async () => {
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
    const copy = join(rootFolder, `bin-${version}-${platform}`);
    cleanups.push(() => rm(copy, { recursive: true, force: true }));

    const found = { native: damaged, version, platform };
    const logged: string[] = [];
    const made = await Promise.all(
      [1, 2].map(() => prepareBinaries(found, nobody, (line) => logged.push(line))),
    );
    const [binaries] = made;
    expect(made[1]).toEqual(binaries);
    expect(dirname(dirname(binaries?.initdb ?? ''))).toBe(copy);
    expect(logged).toEqual([expect.stringContaining(copy)]);
    expect(await firstClosedFolder(join(copy, 'bin'), nobody)).toBeUndefined();
    expect((await readdir(rootFolder)).filter((name) => name.includes(`${version}-${platform}.new`))).toEqual(
      [],
    );
    // initdb needs libpq by a name that is a link.
    const run = spawnSync(binaries?.initdb ?? '', ['--version'], { ...nobody, cwd: '/', encoding: 'utf8' });
    expect(run).toMatchObject({ status: 0, stdout: expect.stringContaining('PostgreSQL') });
  });
});

async function isLink(path: string): Promise<boolean> {
  return (await lstat(path)).isSymbolicLink();
}
