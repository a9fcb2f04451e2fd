import { isRunByNpm } from '../config.js';

/** How often a process that npm runs looks whether its parent is still there, in ms. */
const PARENT_CHECK_MS = 200;

/**
 * Calls back once where npm, which runs this process, has gone: the shell between them dies of a SIGTERM without
 * passing it on, and we would hold port and data as nobody's child. Does nothing where npm does not run us.
 *
 * @returns a function that stops looking.
 */
export function onNpmGone(listener: () => void): () => void {
  if (!isRunByNpm()) return () => {};
  const parent = process.ppid;
  const watch = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(watch);
    listener();
  }, PARENT_CHECK_MS).unref();
  return () => clearInterval(watch);
}
