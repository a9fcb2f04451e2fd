import { isConnectionError, isTransactionConflict, translateError, wasNotRun } from './errors.js';
import type { Database, Pool } from './pool.js';

/**
 * Whether a method may be run again where its connection was lost and nobody knows what it stored: `repeatable` if it
 * only reads, or if what it writes is the same however often it runs. Where it is known that nothing was stored, any
 * method is tried again.
 */
export type Repetition = 'repeatable' | 'once';

type Method = (...args: never[]) => Promise<unknown>;

/**
 * Makes a store of methods that know nothing but their queries: each call takes its turn in the pool, is tried again
 * where that is right, and throws the domain's errors instead of the driver's.
 *
 * @param repetition one for every method, so that none is forgotten
 */
export function createStore<Store extends { [Name in keyof Store]: Method }>(
  pool: Pool,
  repetition: { readonly [Name in keyof Store]: Repetition },
  methods: (db: Database) => Store,
): Store {
  const names = Object.keys(repetition) as (keyof Store)[];
  const entries = names.map((name) => [
    name,
    async (...args: never[]) => {
      try {
        return await retried(repetition[name], () => pool.run((db) => methods(db)[name](...args)));
      } catch (error) {
        throw translateError(error);
      }
    },
  ]);
  // Every method keeps its name and signature; Object.fromEntries forgets both.
  return Object.fromEntries(entries) as Store;
}

const TRIES = 3;
const PAUSE_MS = 100;
/** From then on no other try, in ms: whoever waited for a time-out has waited enough. */
const RETRY_WITHIN_MS = 2_000;

async function retried<Result>(repetition: Repetition, call: () => Promise<Result>): Promise<Result> {
  const start = performance.now();
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await call();
    } catch (error) {
      const mayPass = isConnectionError(error) || isTransactionConflict(error);
      const mayRepeat = repetition === 'repeatable' || wasNotRun(error);
      const late = attempt >= TRIES || performance.now() - start > RETRY_WITHIN_MS;
      if (late || !mayPass || !mayRepeat) throw error;
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS * attempt));
    }
  }
}
