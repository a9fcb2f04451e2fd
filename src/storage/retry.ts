import { isConnectionError, isTransactionConflict } from './errors.js';

const TRIES = 3;
const PAUSE_MS = 100;

/**
 * Runs a call that may be repeated as a whole. After a conflict nothing was stored; after a lost connection nobody
 * knows, so the call must find out by itself what it stored before.
 */
export async function retried<Result>(call: () => Promise<Result>): Promise<Result> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await call();
    } catch (error) {
      if (attempt >= TRIES || !(isConnectionError(error) || isTransactionConflict(error))) throw error;
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS * attempt));
    }
  }
}
