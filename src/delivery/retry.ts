import { ServiceUnavailableError } from '../domain/errors.js';

/** Interval between attempts while the database is unavailable, in ms. */
const RETRY_INTERVAL_MS = 1000;

/** Retries the task while it fails with ServiceUnavailableError, until the signal aborts. */
export async function whenAvailable<Result>(
  signal: AbortSignal,
  task: () => Promise<Result>,
): Promise<Result> {
  for (;;) {
    signal.throwIfAborted();
    try {
      return await task();
    } catch (error) {
      if (!(error instanceof ServiceUnavailableError)) throw error;
      await sleep(RETRY_INTERVAL_MS, signal);
    }
  }
}

/** Resolves after the given time, or as soon as the signal aborts. */
function sleep(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, milliseconds);
    signal.addEventListener('abort', done);
  });
}
