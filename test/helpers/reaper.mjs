/**
 * Outlives the process that started it by a moment, and clears away what that left behind.
 *
 * A test run can end without running any of its own code (SIGKILL; vitest leaves 1 ms after SIGINT, and stops its
 * workers by SIGTERM), so the cleaning is done from outside: standard input is a pipe from the owner, and the end
 * of that pipe, which the kernel sees to, is the signal. It is plain JavaScript, since Node 20 runs it as it is.
 *
 * Lines on standard input: `hold FOLDER` (clear it in the end), `clear FOLDER` (now; answered by `cleared FOLDER`).
 * To clear a folder is to end the processes whose ids are in its `*.pid` files, and to remove it.
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
const LATECOMERS_MS = 500;
/** `.data/postgres/postmaster.pid` below a folder in which Parley ran, and one more. */
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

/** A zombie counts as dead: its parent may be the one that waits for us. */
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
 * Postgres writes its pid file itself, and a crash leaves it there, so by now its pid may be somebody else's: its
 * working folder is its data folder, and its command line names that.
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

/** The folder of its unix socket is the fifth line; once the server is gone nothing else is in there. */
function removeSocketFolder(folder) {
  if (!folder) return;
  for (const name of attempt(() => readdirSync(folder), [])) {
    if (name.startsWith('.s.PGSQL.')) rmSync(join(folder, name), { force: true });
  }
  attempt(() => rmdirSync(folder));
}

async function endPostgres(pidFile, lines) {
  const pid = Number(lines[0]);
  // SIGQUIT is an immediate shutdown that still gives its shared memory back, which SIGKILL does not.
  if (isPostmasterOf(dirname(pidFile), pid)) await end(pid, 'SIGQUIT');
  if (!isAlive(pid) || !isPostmasterOf(dirname(pidFile), pid)) removeSocketFolder(lines[4]);
}

/** A process other than Postgres is ended first, lest it starts its Postgres again. */
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

/** More than once, where something writes into it while it is removed. */
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

/** And once more: what the owner was just starting (initdb makes its folders itself) may come after the first. */
async function clearAllAndExit() {
  const folders = [...held].filter((folder) => existsSync(folder));
  await Promise.all(folders.map(clear));
  if (folders.length > 0) await sleep(LATECOMERS_MS);
  await Promise.all(folders.map(clear));
  process.exit(0);
}

async function obey(line) {
  const [verb = '', folder = ''] = line.split(/ (.*)/s);
  if (verb === 'hold') held.add(folder);
  if (verb !== 'clear') return;
  await clear(folder);
  process.stdout.write(`cleared ${folder}\n`);
}

const lines = createInterface({ input: process.stdin });
lines.on('line', obey);
lines.on('close', clearAllAndExit);
// Nobody may be left to read the answers.
process.stdout.on('error', () => {});
