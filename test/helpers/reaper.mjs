/**
 * Runs a moment longer than the process that started it, and clears what that process left behind.
 *
 * A test run can end without running any of its own code (SIGKILL; vitest exits 1 ms after SIGINT, and stops its workers with
 * SIGTERM), so the cleanup runs in this separate process: its standard input is a pipe from the owner, and the end of that
 * pipe, which the kernel guarantees, starts the cleanup. It is plain JavaScript, so that Node 20 can run it directly.
 *
 * Lines on standard input: `hold FOLDER` (clear it in the end), `clear FOLDER` (clear it now; the reply is `cleared FOLDER`).
 * Clearing a folder ends the processes whose ids are in its `*.pid` files, and removes it.
 */
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmdirSync,
  rmSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';

const POLL_MS = 10;
const TIMEOUT_MS = 5000;
const SECOND_PASS_DELAY_MS = 500;
/** Deep enough for `.data/postgres/postmaster.pid` below a working folder of Parley, plus one level. */
const SEARCH_DEPTH = 4;

const held = new Set();

function attempt(action, otherwise) {
  try {
    return action();
  } catch {
    return otherwise;
  }
}

function pidFilesBelow(folder, depth = SEARCH_DEPTH) {
  const entries = attempt(() => readdirSync(folder, { withFileTypes: true }), []);
  return entries.flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return depth > 0 ? pidFilesBelow(path, depth - 1) : [];
    return entry.name.endsWith('.pid') ? [path] : [];
  });
}

/** A zombie counts as dead: its parent may be the process that waits for this one. */
function isAlive(pid) {
  if (!attempt(() => process.kill(pid, 0), false)) return false;
  const state = attempt(
    () => readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /s, ''),
    // No /proc on macOS.
    attempt(() => execFileSync('ps', ['-o', 'stat=', '-p', String(pid)], { encoding: 'utf8' }), ''),
  );
  return state !== '' && !state.startsWith('Z');
}

/**
 * A crashed Postgres leaves its pid file behind, so its pid may belong to another process by now. A postmaster has its data
 * folder as working folder and in its command line.
 */
function isPostmasterOf(dataFolder, pid) {
  const real = attempt(() => realpathSync(dataFolder), dataFolder);
  const cwd = attempt(() => readlinkSync(`/proc/${pid}/cwd`), undefined);
  if (cwd !== undefined) return cwd === real;
  const command = attempt(
    () => execFileSync('ps', ['-o', 'command=', '-p', String(pid)], { encoding: 'utf8' }),
    '',
  );
  return command.includes(dataFolder) || command.includes(real);
}

async function end(pid, signal) {
  attempt(() => process.kill(pid, signal));
  const deadline = Date.now() + TIMEOUT_MS;
  while (isAlive(pid) && Date.now() < deadline) await sleep(POLL_MS);
  if (isAlive(pid)) attempt(() => process.kill(pid, 'SIGKILL'));
}

/** Removes the folder of the Unix socket, which is the fifth line of the pid file; it contains nothing else. */
function removeSocketFolder(folder) {
  if (!folder) return;
  for (const name of attempt(() => readdirSync(folder), [])) {
    if (name.startsWith('.s.PGSQL.')) rmSync(join(folder, name), { force: true });
  }
  attempt(() => rmdirSync(folder));
}

async function endPostgres(pidFile, lines) {
  const pid = Number(lines[0]);
  // SIGQUIT is an immediate shutdown that still releases the shared memory, which SIGKILL does not.
  if (isPostmasterOf(dirname(pidFile), pid)) await end(pid, 'SIGQUIT');
  if (!isAlive(pid) || !isPostmasterOf(dirname(pidFile), pid)) removeSocketFolder(lines[4]);
}

/** Ends other processes before Postgres, so that they do not start it again. */
async function endProcessesOf(folder) {
  const files = pidFilesBelow(folder);
  const isPostgres = (file) => basename(file) === 'postmaster.pid';
  for (const file of [...files.filter((f) => !isPostgres(f)), ...files.filter(isPostgres)]) {
    const lines = attempt(() => readFileSync(file, 'utf8'), '').split('\n');
    if (!(Number(lines[0]) > 1)) continue;
    if (isPostgres(file)) await endPostgres(file, lines);
    else await end(Number(lines[0]), 'SIGKILL');
  }
}

/** Retries if a process writes into the folder while it is being removed. */
async function clear(folder) {
  for (let round = 0; round < 20; round++) {
    await endProcessesOf(folder);
    const removed = attempt(() => {
      rmSync(folder, { recursive: true, force: true });
      return true;
    }, false);
    if (removed) break;
    await sleep(POLL_MS * 10);
  }
  held.delete(folder);
}

/** Clears twice: processes that the owner was just starting (initdb creates folders itself) may write after the first time. */
async function clearAllAndExit() {
  const folders = [...held].filter((folder) => existsSync(folder));
  await Promise.all(folders.map(clear));
  if (folders.length > 0) await sleep(SECOND_PASS_DELAY_MS);
  await Promise.all(folders.map(clear));
  process.exit(0);
}

async function handleLine(line) {
  const [verb = '', folder = ''] = line.split(/ (.*)/s);
  if (verb === 'hold') held.add(folder);
  if (verb !== 'clear') return;
  await clear(folder);
  process.stdout.write(`cleared ${folder}\n`);
}

const lines = createInterface({ input: process.stdin });
lines.on('line', handleLine);
lines.on('close', clearAllAndExit);
// The owner may have exited, so nothing may read the replies.
process.stdout.on('error', () => {});
