import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, unlinkSync } from 'node:fs';
import { chown, mkdtemp, open, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { StartupError } from '../startup-error.js';
import { type Account, firstClosedFolder } from './account.js';
import type { Binaries } from './binaries.js';
import { runAs } from './cluster.js';
import { processExists } from './leftovers.js';

/** What a server says about itself in `postmaster.pid`. It may be long dead. */
export interface Postmaster {
  readonly pid: number;
  /** Its socket folder, or the address it listens on. */
  readonly host: string;
  readonly port: number;
  /** `starting`, `ready` or `stopping`: `stopping` is written before any client is disconnected. */
  readonly status: string;
}

/** A server process that we started. */
export interface Launch {
  readonly pid: number;
  readonly running: boolean;
  /** Why it ended: its last error in the log, or else its last line. */
  reason(): Promise<string>;
  /** Removes the socket folder of one that ends, or has ended, at once: it waits a little for that. */
  discard(): Promise<void>;
}

const windows = process.platform === 'win32';
const socketFolderPrefix = 'parley-';
const socketPort = 5432;
/** The least of all systems (macOS: 104 bytes with the final NUL). */
const longestSocketPath = 103;
const logLimitBytes = 10 * 1024 * 1024;
const timeoutMs = 10_000;
const DISCARD_TIMEOUT_MS = 2_000;

/** Reads `postmaster.pid`; undefined when there is none, or it is just being written. */
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

/** Whether the process is the server of this cluster, and not one that was given its id later. */
export async function isServing(pid: number, cluster: string): Promise<boolean> {
  if (!processExists(pid)) return false;
  if (process.platform === 'linux') {
    // Of a zombie, which a careless init never reaps, this is empty.
    const args = (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).split('\0');
    return basename(args[0] ?? '') === 'postgres' && args.includes(cluster);
  }
  const [program, args] = windows
    ? ['tasklist', ['/FI', `PID eq ${pid}`, '/NH', '/FO', 'CSV']]
    : ['ps', ['-ww', '-o', 'args=', '-p', String(pid)]];
  const listed = await promisify(execFile)(program, args, { windowsHide: true }).catch(() => ({
    stdout: '',
  }));
  return listed.stdout.includes(windows ? 'postgres.exe' : `-D ${cluster} `);
}

/**
 * Removes a `postmaster.pid` whose process id now belongs to another program, which Postgres would take for a
 * server. If the process is gone Postgres does that itself, and better: it first looks for surviving backends.
 */
export function removeStalePidFile(cluster: string, stale: Postmaster): void {
  if (!processExists(stale.pid)) return;
  const path = join(cluster, 'postmaster.pid');
  try {
    // Read again, in the same tick: another process may have started a server here by now.
    if (parsePostmaster(readFileSync(path, 'utf8'))?.pid === stale.pid) unlinkSync(path);
  } catch {
    // It is gone already, or Postgres will say what is wrong with it.
  }
}

/** Starts a server that outlives us: a session of its own, no pipe to us. Returns before it is ready. */
export async function launchServer(options: {
  binaries: Binaries;
  cluster: string;
  account: Account | undefined;
  logFile: string;
  settings: Record<string, string>;
}): Promise<Launch> {
  const { account, logFile } = options;
  const folder = windows ? undefined : await makeSocketFolder(account);
  const listen = folder === undefined ? await loopbackSettings() : socketSettings(folder);
  // fsync and synchronous_commit stay at their default, on.
  const settings = { max_connections: '60', log_min_messages: 'warning', ...listen, ...options.settings };
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
    // Should the program not run at all, the wait for 'spawn' tells.
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
        await Promise.race([ended, delay(DISCARD_TIMEOUT_MS)]);
        if (!running) await removeSocketFolder(folder ?? '');
      },
    };
  } catch (error) {
    await removeSocketFolder(folder ?? '');
    throw new StartupError(`Postgres could not be run: ${error instanceof Error ? error.message : error}`);
  } finally {
    await log.handle.close();
  }
}

/** Stops a server and waits until it is gone: fast (clients are disconnected), then at once. */
export async function stopServer(pid: number, cluster: string, pgCtl: string): Promise<void> {
  for (const [signal, mode] of [['SIGINT', 'fast'] as const, ['SIGQUIT', 'immediate'] as const]) {
    if (!(await isServing(pid, cluster))) return;
    if (windows) {
      const args = ['stop', '-D', cluster, '-m', mode, '-w', '-t', String(timeoutMs / 1000)];
      await promisify(execFile)(pgCtl, args, { windowsHide: true }).catch(() => undefined);
    } else {
      sendSignal(pid, signal);
    }
    for (const until = Date.now() + timeoutMs; Date.now() < until; await delay(20)) {
      if (!(await isServing(pid, cluster))) return;
    }
  }
  throw new Error(`Postgres (process ${pid}, data in ${cluster}) does not stop`);
}

function sendSignal(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    // It ended between the look at it and the signal.
    if (processExists(pid)) throw error;
  }
}

/** Removes the folder only if it bears the name of one of ours: the path comes from a file. */
export async function removeSocketFolder(path: string): Promise<void> {
  if (!/^parley-\w{6}$/.test(basename(path))) return;
  await rm(path, { recursive: true, force: true }).catch(() => undefined);
}

/** A private folder with a path short enough for a socket; only its owner (and root) can connect. */
async function makeSocketFolder(account: Account | undefined): Promise<string> {
  const length = Buffer.byteLength(join(tmpdir(), `${socketFolderPrefix}XXXXXX`, `.s.PGSQL.${socketPort}`));
  const closed = account !== undefined && (await firstClosedFolder(tmpdir(), account)) !== undefined;
  const parent = length > longestSocketPath || closed ? '/tmp' : tmpdir();
  const folder = await mkdtemp(join(parent, socketFolderPrefix));
  if (account !== undefined) await chown(folder, account.uid, account.gid);
  return folder;
}

function socketSettings(folder: string): Record<string, string> {
  return { listen_addresses: '', unix_socket_directories: folder, port: String(socketPort) };
}

async function loopbackSettings(): Promise<Record<string, string>> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const address = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  const port = typeof address === 'object' && address !== null ? address.port : socketPort;
  return { listen_addresses: '127.0.0.1', unix_socket_directories: '', port: String(port) };
}

/** Opens the log to append, or empties it once it has grown too long; `end` is where this start's lines begin. */
async function openLog(path: string, account: Account | undefined) {
  const handle = await open(path, 'a', 0o600);
  if ((await handle.stat()).size > logLimitBytes) await handle.truncate();
  if (account !== undefined) await chown(path, account.uid, account.gid);
  return { handle, end: (await handle.stat()).size };
}

/** The log may hold lines of another process that starts a server at this moment: those of `pid` come first. */
async function lastError(path: string, offset: number, pid: number): Promise<string> {
  const text = (await readFile(path)).subarray(offset).toString('utf8');
  const all = text.split('\n').filter((line) => line.trim() !== '');
  const own = all.filter((line) => line.includes(`[${pid}]`));
  const lines = own.length > 0 ? own : all;
  const line = lines.findLast((candidate) => /(PANIC|FATAL|ERROR):/.test(candidate)) ?? lines.at(-1);
  return line?.replace(/^.* \[\d+\] (?=[A-Z]+:)/, '') ?? `it ended without a word (see ${path})`;
}
