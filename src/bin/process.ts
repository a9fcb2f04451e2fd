import { isRunByNpm } from '../config/index.js';
import { StartupError } from '../startup-error.js';

/** Under npm, one Ctrl-C arrives twice: from the terminal and from npm. A second signal within this time, in ms, is ignored. */
const DUPLICATE_SIGNAL_WINDOW_MS = 500;
/** How often a process that npm runs checks that its parent is still alive, in ms. */
const PARENT_CHECK_INTERVAL_MS = 200;

/** Runs a program. A StartupError is printed as it is, without a stack, and sets exit status 1. */
export async function runProgram(program: () => Promise<void>): Promise<void> {
  try {
    await program();
  } catch (error) {
    if (!(error instanceof StartupError)) throw error;
    console.error(error.message);
    process.exitCode = 1;
  }
}

/** Writes what libraries and Node print as warnings to the log, so that every line of the output has its form. */
export function logWarnings(warn: (fields: object, message: string) => void): void {
  console.warn = (...parts: unknown[]) => warn({}, parts.map(String).join(' '));
  process.removeAllListeners('warning');
  process.on('warning', ({ name, message }) => warn({ name }, message));
}

/** Resolves with the first SIGINT or SIGTERM; the end of npm counts as a SIGTERM. A second signal exits at once. */
export function nextSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let first: number | undefined;
    const onSignal = (signal: NodeJS.Signals): void => {
      if (first !== undefined && Date.now() - first > DUPLICATE_SIGNAL_WINDOW_MS) process.exit(1);
      first ??= Date.now();
      stopWatching();
      resolve(signal);
    };
    const stopWatching = onNpmGone(() => onSignal('SIGTERM'));
    process.on('SIGINT', onSignal);
    process.on('SIGTERM', onSignal);
  });
}

/**
 * Calls back once when npm, which runs this process, is gone: the shell between them dies of a SIGTERM without passing
 * it on, and the orphaned process would keep its port and data. Does nothing if npm does not run this process.
 *
 * @returns a function that stops watching.
 */
export function onNpmGone(listener: () => void): () => void {
  if (!isRunByNpm()) return () => {};
  const parent = process.ppid;
  const watch = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(watch);
    listener();
  }, PARENT_CHECK_INTERVAL_MS).unref();
  return () => clearInterval(watch);
}

/**
 * Ends the process with status 1 if it is still running after the time, in ms: a part that does not stop must not keep the
 * process from being replaced.
 */
export function exitAfter(ms: number, onExit: () => void): void {
  setTimeout(() => {
    onExit();
    process.exit(1);
  }, ms).unref();
}
