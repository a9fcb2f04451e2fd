import { spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { stopAtEnd } from './stopping.js';

const REAPER = fileURLToPath(new URL('./reaper.mjs', import.meta.url));
const EXIT_TIMEOUT_MS = 10_000;

/**
 * The folder of everything that a test starts. A separate process (reaper.mjs) clears it, even if this process is interrupted
 * or killed.
 */
export interface TemporaryFolder {
  readonly path: string;
  /**
   * Registers a process: if it is still running when the folder is cleared, it is killed. The function that is returned
   * removes it again; call it as soon as the process has exited, before its id can be reused.
   */
  owns(name: string, pid: number): () => void;
  /** Kills the processes of the folder (including a Postgres whose data is below it), then removes it. */
  clear(): Promise<void>;
}

/** The folders of this process that are not cleared yet. */
const held = new Set<string>();

let reaper: Reaper | undefined;

interface Reaper {
  send(line: string): void;
  /** Resolves when the reaper reports that the folder is cleared. */
  answer(folder: string): Promise<void>;
}

/** Starts the reaper of this process, with its first folder; the reaper exits soon after this process. */
function startReaper(): Reaper {
  // Detached, so that Ctrl-C in a terminal, which signals the whole process group, does not end it too.
  const child = spawn(process.execPath, [REAPER], { detached: true, stdio: ['pipe', 'pipe', 'inherit'] });
  const answers = createInterface({ input: child.stdout });
  child.stdin.on('error', () => {}); // The reaper has exited: `answer` rejects.
  // The reaper must not keep this process alive, except while it is waited for.
  const streams = [child.stdin, child.stdout].filter((stream) => stream instanceof Socket);
  for (const handle of [child, ...streams]) handle.unref();
  process.once('exit', () => clearBeforeExit(child.stdin));

  return {
    send: (line) => child.stdin.write(`${line}\n`),
    answer: (folder) =>
      new Promise((resolve, reject) => {
        const settle = (error?: Error) => {
          answers.off('line', onLine);
          child.off('exit', onExit);
          child.unref();
          if (error) reject(error);
          else resolve();
        };
        const onLine = (line: string) => line === `cleared ${folder}` && settle();
        const onExit = () => settle(new Error(`the reaper has exited, so ${folder} may be left behind`));
        if (child.exitCode !== null || child.signalCode !== null) return onExit();
        answers.on('line', onLine);
        child.on('exit', onExit);
        child.ref();
      }),
  };
}

/**
 * Delays the end of an interrupted run until all folders are cleared. The event loop no longer runs here, so the disappearance
 * of the folders serves as the reply.
 */
function clearBeforeExit(toReaper: Writable): void {
  if (held.size === 0) return;
  toReaper.destroy(); // Not by a signal: the reaper may just have been started and not handle signals yet.
  const deadline = Date.now() + EXIT_TIMEOUT_MS;
  const clock = new Int32Array(new SharedArrayBuffer(4));
  while ([...held].some((folder) => existsSync(folder)) && Date.now() < deadline)
    Atomics.wait(clock, 0, 0, 10);
}

/** Clears a folder after the exit of this process: for folders that others remove unless they are interrupted. */
export function clearAfterExit(path: string): Reaper {
  reaper ??= startReaper();
  held.add(path);
  reaper.send(`hold ${path}`);
  return reaper;
}

/**
 * Creates a folder in the temporary directory that other accounts (that of Postgres, under root) may enter. It is cleared at
 * the end of the test file at the latest.
 */
export function temporaryFolder(purpose: string): TemporaryFolder {
  const path = mkdtempSync(join(realpathSync(tmpdir()), `parley-${purpose}-`));
  const { send, answer } = clearAfterExit(path);
  chmodSync(path, 0o755);
  const clear = async () => {
    if (!held.has(path)) return;
    cleared();
    send(`clear ${path}`);
    await answer(path);
    held.delete(path);
  };
  const cleared = stopAtEnd(clear);
  return {
    path,
    owns(name, pid) {
      const file = join(path, `${name}.pid`);
      writeFileSync(file, `${pid}\n`);
      return () => rmSync(file, { force: true });
    },
    clear,
  };
}
