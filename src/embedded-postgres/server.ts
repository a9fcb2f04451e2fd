import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, unlinkSync } from 'node:fs';
import { chown, mkdtemp, open, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { messageOf } from '../lib/error-message.js';
import { settledWithin } from '../lib/timeout.js';
import { StartupError } from '../startup-error.js';
import { restrictAccess } from './access.js';
import { type Account, firstInaccessibleFolder } from './account.js';
import type { Binaries } from './binaries.js';
import { runAs } from './cluster.js';
import { processExists } from './leftovers.js';

/** The contents of `postmaster.pid`, which a server writes about itself. The server may have died since. */
export interface Postmaster {
  readonly pid: number;
  /** The server's socket folder, or the address it listens on. */
  readonly host: string;
  readonly port: number;
  /** `starting`, `ready` or `stopping`. A server writes `stopping` before it disconnects any client. */
  readonly status: string;
}

/** A server that this process started. */
export interface Launch {
  readonly pid: number;
  readonly running: boolean;
  /** Why the server ended: its last error in the log, or else its last line. */
  reason(): Promise<string>;
  /** Removes the socket folder if the server has ended or ends within 2 seconds. */
  discard(): Promise<void>;
}

const IS_WINDOWS = process.platform === 'win32';
const SOCKET_FOLDER_PREFIX = 'parley-';
const SOCKET_PORT = 5432;
/** The smallest limit of all systems: macOS allows 104 bytes, including the final NUL. */
const MAX_SOCKET_PATH_BYTES = 103;
/** A start empties a log that is larger. */
const MAX_LOG_BYTES = 10 * 1024 * 1024;
/** Time for each of the two ways to stop a server. */
const STOP_TIMEOUT_MS = 10_000;
const STOP_POLL_INTERVAL_MS = 20;
const DISCARD_TIMEOUT_MS = 2_000;

/** Reads `postmaster.pid`; undefined if it does not exist or is just being written. */
export async function readPostmaster(cluster: string): Promise<Postmaster | undefined> {
  const text = await readFile(join(cluster, 'postmaster.pid'), 'utf8').catch(() => '');
  return parsePostmaster(text);
}

function parsePostmaster(text: string): Postmaster | undefined {
  const lines = text.split('\n').map((line) => line.trim());
  const pid = Number(lines[0]);
  if (!Number.isInteger(pid) || pid <= 0) return undefined;
  return { pid, port: Number(lines[3]), host: lines[4] || lines[5] || '', status: lines[7] ?? '' };
}

/** Whether the process is the server of this cluster, and not another program that got its id later. */
export async function isServing(pid: number, cluster: string): Promise<boolean> {
  if (!processExists(pid)) return false;
  if (process.platform === 'linux') {
    // Empty for a zombie, which some init processes never reap.
    const args = (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).split('\0');
    return basename(args[0] ?? '') === 'postgres' && args.includes(cluster);
  }
  const [program, args] = IS_WINDOWS
    ? ['tasklist', ['/FI', `PID eq ${pid}`, '/NH', '/FO', 'CSV']]
    : ['ps', ['-ww', '-o', 'args=', '-p', String(pid)]];
  const listed = await promisify(execFile)(program, args, { windowsHide: true }).catch(() => ({
    stdout: '',
  }));
  return listed.stdout.includes(IS_WINDOWS ? 'postgres.exe' : `-D ${cluster} `);
}

/**
 * Removes a `postmaster.pid` whose process id now belongs to another program, which Postgres would mistake for a server. If
 * no process has the id, Postgres removes the file itself, after it has checked for surviving backends.
 */
export function removeStalePidFile(cluster: string, stale: Postmaster): void {
  if (!processExists(stale.pid)) return;
  const path = join(cluster, 'postmaster.pid');
  try {
    // Read again in the same turn of the event loop: another process may have started a server here by now.
    if (parsePostmaster(readFileSync(path, 'utf8'))?.pid === stale.pid) unlinkSync(path);
  } catch {
    // The file is gone already, or Postgres will report what is wrong with it.
  }
}

/**
 * Starts a server that outlives this process, in a session of its own and without a pipe. Returns before it is ready.
 *
 * @throws StartupError if the program cannot run.
 */
export async function launchServer(options: {
  binaries: Binaries;
  cluster: string;
  account: Account | undefined;
  logFile: string;
  settings: Record<string, string>;
}): Promise<Launch> {
  const { account, logFile } = options;
  const folder = IS_WINDOWS ? undefined : await createSocketFolder(account);
  const listen = folder === undefined ? await loopbackSettings() : socketSettings(folder);
  // fsync and synchronous_commit keep their default, on.
  const access = await restrictAccess(options.cluster, account);
  const settings = {
    max_connections: '60',
    log_min_messages: 'warning',
    ...access,
    ...listen,
    ...options.settings,
  };
  const args = ['-D', options.cluster];
  for (const [name, value] of Object.entries(settings)) args.push('-c', `${name}=${value}`);

  const log = await openLog(logFile, account);
  try {
    const stdio: ['ignore', number, number] = ['ignore', log.handle.fd, log.handle.fd];
    const child = spawn(options.binaries.postgres, args, { ...runAs(account), stdio, detached: true });
    let running = true;
    const ended = once(child, 'exit').then(() => {
      running = false;
    });
    // If the program cannot run, the wait for 'spawn' below reports that.
    ended.catch(() => undefined);
    await once(child, 'spawn');
    child.unref();
    const { pid = 0 } = child;
    return {
      pid,
      get running() {
        return running;
      },
      reason: () => lastError(logFile, log.end, pid),
      async discard() {
        await settledWithin(ended, DISCARD_TIMEOUT_MS);
        if (!running) await removeSocketFolder(folder ?? '');
      },
    };
  } catch (error) {
    await removeSocketFolder(folder ?? '');
    throw new StartupError(`Postgres could not be started: ${messageOf(error)}`);
  } finally {
    await log.handle.close();
  }
}

/**
 * Stops a server and waits until it has ended. Uses the mode `fast`, which disconnects the clients, and then `immediate`.
 *
 * @throws Error if it still runs after 20 seconds.
 */
export async function stopServer(pid: number, cluster: string, pgCtl: string): Promise<void> {
  for (const [signal, mode] of [['SIGINT', 'fast'] as const, ['SIGQUIT', 'immediate'] as const]) {
    if (!(await isServing(pid, cluster))) return;
    if (IS_WINDOWS) {
      const args = ['stop', '-D', cluster, '-m', mode, '-w', '-t', String(STOP_TIMEOUT_MS / 1000)];
      await promisify(execFile)(pgCtl, args, { windowsHide: true }).catch(() => undefined);
    } else {
      sendSignal(pid, signal);
    }
    for (const until = Date.now() + STOP_TIMEOUT_MS; Date.now() < until; await delay(STOP_POLL_INTERVAL_MS)) {
      if (!(await isServing(pid, cluster))) return;
    }
  }
  throw new Error(`Postgres (process ${pid}, data in ${cluster}) did not stop`);
}

function sendSignal(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    // The process ended between the check and the signal.
    if (processExists(pid)) throw error;
  }
}

/** Removes a socket folder. Checks that its name is one of ours, since the path comes from a file. */
export async function removeSocketFolder(path: string): Promise<void> {
  if (!/^parley-\w{6}$/.test(basename(path))) return;
  await rm(path, { recursive: true, force: true }).catch(() => undefined);
}

/** Creates a folder whose path is short enough for a socket. Only its owner and root can connect. */
async function createSocketFolder(account: Account | undefined): Promise<string> {
  const length = Buffer.byteLength(
    join(tmpdir(), `${SOCKET_FOLDER_PREFIX}XXXXXX`, `.s.PGSQL.${SOCKET_PORT}`),
  );
  const isInaccessible =
    account !== undefined && (await firstInaccessibleFolder(tmpdir(), account)) !== undefined;
  const parent = length > MAX_SOCKET_PATH_BYTES || isInaccessible ? '/tmp' : tmpdir();
  const folder = await mkdtemp(join(parent, SOCKET_FOLDER_PREFIX));
  if (account !== undefined) await chown(folder, account.uid, account.gid);
  return folder;
}

function socketSettings(folder: string): Record<string, string> {
  return { listen_addresses: '', unix_socket_directories: folder, port: String(SOCKET_PORT) };
}

async function loopbackSettings(): Promise<Record<string, string>> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const address = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  const port = typeof address === 'object' && address !== null ? address.port : SOCKET_PORT;
  return { listen_addresses: '127.0.0.1', unix_socket_directories: '', port: String(port) };
}

/** Opens the log to append, and empties it if it is too large. The lines of this start begin at `end`. */
async function openLog(path: string, account: Account | undefined) {
  const handle = await open(path, 'a', 0o600);
  if ((await handle.stat()).size > MAX_LOG_BYTES) await handle.truncate();
  if (account !== undefined) await chown(path, account.uid, account.gid);
  return { handle, end: (await handle.stat()).size };
}

/** Prefers the lines of `pid`: another process may start a server at the same time and log to the same file. */
async function lastError(path: string, offset: number, pid: number): Promise<string> {
  const text = (await readFile(path)).subarray(offset).toString('utf8');
  const all = text.split('\n').filter((line) => line.trim() !== '');
  const own = all.filter((line) => line.includes(`[${pid}]`));
  const lines = own.length > 0 ? own : all;
  const line = lines.findLast((candidate) => /(PANIC|FATAL|ERROR):/.test(candidate)) ?? lines.at(-1);
  return line?.replace(/^.* \[\d+\] (?=[A-Z]+:)/, '') ?? `it ended without an error message (see ${path})`;
}
