import { spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { stopInTheEnd } from './stopping.js';

const REAPER = fileURLToPath(new URL('./reaper.mjs', import.meta.url));
const EXIT_TIMEOUT_MS = 10_000;

/**
 * Where everything lives that a test starts: it is cleared even if this process is interrupted or killed, by a
 * process of its own (reaper.mjs).
 */
export interface TemporaryFolder {
  readonly path: string;
  /**
   * Notes a process as belonging to this folder: if it still runs when the folder is cleared, it is killed.
   * Returns what strikes it off, to be called as soon as it has exited, before its id can become another's.
   */
  owns(name: string, pid: number): () => void;
  /** Ends what still runs in the folder (a Postgres whose data lies below it too), then removes it. */
  clear(): Promise<void>;
}

/** The folders of this process that are not cleared yet. */
const held = new Set<string>();

let reaper: Reaper | undefined;

interface Reaper {
  send(line: string): void;
  /** Resolves when it says that the folder is cleared. */
  answer(folder: string): Promise<void>;
}

/** One for this process, started with its first folder; it ends by itself soon after this process. */
function startReaper(): Reaper {
  // Detached, so that Ctrl-C in a terminal, which goes to the whole process group, doesn't end it too.
  const child = spawn(process.execPath, [REAPER], { detached: true, stdio: ['pipe', 'pipe', 'inherit'] });
  const answers = createInterface({ input: child.stdout });
  child.stdin.on('error', () => {}); // It is gone: `answer` says so.
  // While nobody waits for an answer, it must not keep this process alive.
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
        const onExit = () => settle(new Error(`the reaper is gone, so ${folder} may be left behind`));
        if (child.exitCode !== null || child.signalCode !== null) return onExit();
        answers.on('line', onLine);
        child.on('exit', onExit);
        child.ref();
      }),
  };
}

/**
 * Lets an interrupted run end only when all is cleared away. The loop doesn't turn any more in here, so the
 * folders' disappearance has to serve as the answer.
 */
function clearBeforeExit(toReaper: Writable): void {
  if (held.size === 0) return;
  toReaper.destroy(); // Not by a signal: it may have been started a moment ago and not be ready for one.
  const deadline = Date.now() + EXIT_TIMEOUT_MS;
  const clock = new Int32Array(new SharedArrayBuffer(4));
  while ([...held].some((folder) => existsSync(folder)) && Date.now() < deadline)
    Atomics.wait(clock, 0, 0, 10);
}

/** Only then: a folder that somebody else removes as long as nothing interrupts it. */
export function clearAfterExit(path: string): Reaper {
  reaper ??= startReaper();
  held.add(path);
  reaper.send(`hold ${path}`);
  return reaper;
}

/**
 * A fresh folder directly in the temp directory, which other accounts (Postgres' own, under root) may enter. It is
 * cleared at the end of the test file, if the test didn't.
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
  const cleared = stopInTheEnd(clear);
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
