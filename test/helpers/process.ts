import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { stopInTheEnd } from './stopping.js';
import { temporaryFolder } from './temporary-folder.js';

/** Compiled by global-setup.ts, once a run. */
const DIST = fileURLToPath(new URL('../../dist', import.meta.url));
const READY_TIMEOUT_MS = 30_000;
const STOP_TIMEOUT_MS = 15_000;
const OUTPUT_TIMEOUT_MS = 1000;

export interface ParleyOptions {
  /**
   * Its working folder, where its `.data` goes. One of its own by default, so that nothing is left and no `.env`
   * is found; give two processes the same temporaryFolder() to have the second take over from the first.
   */
  cwd?: string;
  /** Which program of `dist/bin/` is run; the server by default. A command of a moment never is `ready`: await `exited`. */
  script?: 'server.js' | 'new-epoch.js';
}

export interface ParleyExit {
  code: number | null;
  signal: NodeJS.Signals | null;
}

/** The real thing: `node dist/bin/server.js` in a process of its own. */
export interface ParleyProcess extends AsyncDisposable {
  readonly pid: number;
  /** When it has said so itself. Rejects with all its output where it exits first, or after 30 s. */
  readonly ready: Promise<{ url: string }>;
  readonly exited: Promise<ParleyExit>;
  kill(signal: NodeJS.Signals): void;
  /** Standard output and standard error so far, in the order of their arrival. */
  output(): string;
  /** SIGTERM, and SIGKILL after 15 s. Harmless when repeated. Also ends a Postgres it left behind. */
  stop(): Promise<ParleyExit>;
}

/** Nothing of the developer's own settings: DATABASE_URL and its like would lead elsewhere. */
function cleanEnvironment(): Record<string, string> {
  const { PATH = '', HOME = '', TMPDIR } = process.env;
  return { PATH, HOME, ...(TMPDIR === undefined ? {} : { TMPDIR }), PORT: '0' };
}

/** The address in the log line that announces it, or undefined for any other line. */
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

/** The announcement, or an error with all output where the process exits first or takes too long. */
async function untilReady(
  announcement: Promise<{ url: string }>,
  exited: Promise<ParleyExit>,
  output: () => string,
): Promise<{ url: string }> {
  const patience = new AbortController();
  const late = sleep(READY_TIMEOUT_MS, `wasn't ready in ${READY_TIMEOUT_MS} ms`, patience);
  late.catch(() => {}); // Aborted, which is the good case.
  const early = exited.then(({ code, signal }) => `exited with ${signal ?? code} before it was ready`);
  const outcome = await Promise.race([announcement, early, late]);
  patience.abort();
  if (typeof outcome === 'string') throw new Error(`Parley ${outcome}:\n${output()}`);
  return outcome;
}

/** With its last output, but not for ever: a Postgres it left behind may hold the pipe open. */
async function untilExited(child: ChildProcess): Promise<ParleyExit> {
  const closed = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const exit = await new Promise<ParleyExit>((resolve) => {
    child.once('exit', (code, signal) => resolve({ code, signal }));
  });
  await Promise.race([closed, sleep(OUTPUT_TIMEOUT_MS, undefined, { ref: false })]);
  return exit;
}

/**
 * Spawns Parley with these variables and nothing else but PATH, HOME and TMPDIR; on any free port, unless PORT is
 * given. Resolves when it is spawned, not when it is ready. It is stopped at the end of the test file, if the test
 * didn't.
 */
export async function runParley(
  env: Record<string, string>,
  options: ParleyOptions = {},
): Promise<ParleyProcess> {
  const folder = temporaryFolder('process');
  const child = spawn(process.execPath, [join(DIST, 'bin', options.script ?? 'server.js')], {
    cwd: options.cwd ?? folder.path,
    env: { ...cleanEnvironment(), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
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
  ready.catch(() => {}); // Not every test asks whether it ever was.

  const stop = async () => {
    stopped();
    child.kill('SIGTERM');
    child.kill('SIGCONT'); // A test may have halted it.
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
    const exit = await exited;
    clearTimeout(timer);
    await folder.clear();
    return exit;
  };
  const stopped = stopInTheEnd(stop);
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
