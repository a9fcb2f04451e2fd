import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { stopAtEnd } from './stopping.js';
import { temporaryFolder } from './temporary-folder.js';

/** Built by global-setup.ts, once per run. */
const DIST = fileURLToPath(new URL('../../dist', import.meta.url));
const READY_TIMEOUT_MS = 30_000;
const STOP_TIMEOUT_MS = 15_000;
const OUTPUT_TIMEOUT_MS = 1000;

export interface ParleyOptions {
  /**
   * The working folder, which contains its `.data`. A temporary folder by default, so that nothing is left and no `.env` is
   * found. Give two processes the same temporaryFolder() to let the second take over from the first.
   */
  cwd?: string;
  /** The program in `dist/bin/` to run; the server by default. Other commands never become `ready`: await `exited`. */
  script?: 'server.js' | 'new-epoch.js' | 'end-account.js';
  /** Its arguments. */
  args?: readonly string[];
}

export interface ParleyExit {
  code: number | null;
  signal: NodeJS.Signals | null;
}

/** A real Parley process: `node dist/bin/server.js`. */
export interface ParleyProcess extends AsyncDisposable {
  readonly pid: number;
  /** Resolves when the process logs that it is ready. Rejects with all its output if it exits first, or after 30 s. */
  readonly ready: Promise<{ url: string }>;
  readonly exited: Promise<ParleyExit>;
  kill(signal: NodeJS.Signals): void;
  /** Standard output and standard error so far, in the order of their arrival. */
  output(): string;
  /** Sends SIGTERM, and SIGKILL after 15 s. Also stops a Postgres it left behind. May be called repeatedly. */
  stop(): Promise<ParleyExit>;
}

/** Without the developer's own settings, such as DATABASE_URL. */
function cleanEnvironment(): Record<string, string> {
  const { PATH = '', HOME = '', TMPDIR } = process.env;
  return { PATH, HOME, ...(TMPDIR === undefined ? {} : { TMPDIR }), PORT: '0' };
}

/** The URL in the log line "Parley is ready"; undefined for any other line. */
function announcedUrl(line: string): string | undefined {
  if (!line.startsWith('{') || !line.includes('"Parley is ready"')) return undefined;
  const entry: unknown = JSON.parse(line);
  if (typeof entry !== 'object' || entry === null || !('url' in entry)) return undefined;
  return typeof entry.url === 'string' ? entry.url : undefined;
}

function firstAnnouncement(stdout: Readable): Promise<{ url: string }> {
  return new Promise((resolve) => {
    createInterface({ input: stdout }).on('line', (line) => {
      const url = announcedUrl(line);
      if (url !== undefined) resolve({ url });
    });
  });
}

/** Resolves to the announcement; rejects with all output if the process exits first or takes too long. */
async function untilReady(
  announcement: Promise<{ url: string }>,
  exited: Promise<ParleyExit>,
  output: () => string,
): Promise<{ url: string }> {
  const timeout = new AbortController();
  const late = sleep(READY_TIMEOUT_MS, `was not ready within ${READY_TIMEOUT_MS} ms`, timeout);
  late.catch(() => {}); // Aborted if the process became ready in time.
  const early = exited.then(({ code, signal }) => `exited with ${signal ?? code} before it was ready`);
  const outcome = await Promise.race([announcement, early, late]);
  timeout.abort();
  if (typeof outcome === 'string') throw new Error(`Parley ${outcome}:\n${output()}`);
  return outcome;
}

/** Waits for the exit and the last output, but not forever: a Postgres it left behind may keep the pipe open. */
async function untilExited(child: ChildProcess): Promise<ParleyExit> {
  const closed = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const exit = await new Promise<ParleyExit>((resolve) => {
    child.once('exit', (code, signal) => resolve({ code, signal }));
  });
  await Promise.race([closed, sleep(OUTPUT_TIMEOUT_MS, undefined, { ref: false })]);
  return exit;
}

/**
 * Spawns Parley with only these variables, PATH, HOME and TMPDIR; on any free port unless PORT is given. Resolves when it is
 * spawned, not when it is ready. It is stopped at the end of the test file at the latest.
 */
export async function runParley(
  env: Record<string, string>,
  options: ParleyOptions = {},
): Promise<ParleyProcess> {
  const folder = temporaryFolder('process');
  const child = spawn(
    process.execPath,
    [join(DIST, 'bin', options.script ?? 'server.js'), ...(options.args ?? [])],
    {
      cwd: options.cwd ?? folder.path,
      env: { ...cleanEnvironment(), ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  const { pid } = child;
  if (pid === undefined) throw (await once(child, 'error'))[0];
  child.once('exit', folder.owns('parley', pid));

  let collected = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      collected += text;
    });
  }
  const output = () => collected;
  const exited = untilExited(child);
  const ready = untilReady(firstAnnouncement(child.stdout), exited, output);
  ready.catch(() => {}); // Not every test waits for it.

  const stop = async () => {
    stopped();
    child.kill('SIGTERM');
    child.kill('SIGCONT'); // A test may have paused it.
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
    const exit = await exited;
    clearTimeout(timer);
    await folder.clear();
    return exit;
  };
  const stopped = stopAtEnd(stop);
  return {
    pid,
    ready,
    exited,
    output,
    stop,
    kill: (signal) => child.kill(signal),
    [Symbol.asyncDispose]: async () => void (await stop()),
  };
}
