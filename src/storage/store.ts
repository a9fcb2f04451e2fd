import { setTimeout as sleep } from 'node:timers/promises';
import { isConnectionError, isTransactionConflict, translateError, wasNotExecuted } from './errors.js';
import type { CallTurn, Database, Pool } from './pool.js';

/**
 * Whether a method is retried after a lost connection, when it is unknown whether it was executed.
 *
 * - `idempotent`: yes. The method only reads, or has the same effect however often it is executed.
 * - `at-most-once`: no.
 *
 * If it is known that nothing was stored, every method is retried.
 */
export type RetryPolicy = 'idempotent' | 'at-most-once';

type Method = (...args: never[]) => Promise<unknown>;

/** How the calls of a method are made. */
export interface CallPolicy<M extends Method> {
  readonly retry: RetryPolicy;
  readonly turn: CallTurn['turn'];
  /** The user on whose behalf a call is made; absent if there is none. */
  readonly userOf?: (...args: Parameters<M>) => string | undefined;
}

/** One policy for every method, so that none is forgotten. */
export type CallPolicies<Store extends { [Name in keyof Store]: Method }> = {
  readonly [Name in keyof Store]: CallPolicy<Store[Name]>;
};

/**
 * Creates a store from methods that only contain queries. Each call takes its turn for a connection of the pool, is retried
 * by its policy, and throws the domain's errors instead of the driver's.
 */
export function createStore<Store extends { [Name in keyof Store]: Method }>(
  pool: Pool,
  policies: CallPolicies<Store>,
  methods: (db: Database) => Store,
): Store {
  const names = Object.keys(policies) as (keyof Store)[];
  const entries = names.map((name) => [
    name,
    async (...args: Parameters<Store[typeof name]>) => {
      const { retry, turn, userOf } = policies[name];
      const userId = userOf?.(...args) ?? null;
      try {
        return await withRetries(retry, () => pool.run((db) => methods(db)[name](...args), { turn, userId }));
      } catch (error) {
        throw translateError(error);
      }
    },
  ]);
  // Every method keeps its name and signature, but the type of Object.fromEntries has neither.
  return Object.fromEntries(entries) as Store;
}

const MAX_ATTEMPTS = 3;
/** Delay before the second attempt; before the third, twice this. */
const RETRY_DELAY_MS = 100;
/** A call that has taken longer is not retried, for example because it ran into a timeout. */
const RETRY_DEADLINE_MS = 2_000;

async function withRetries<Result>(policy: RetryPolicy, call: () => Promise<Result>): Promise<Result> {
  const start = performance.now();
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await call();
    } catch (error) {
      const isTransient = isConnectionError(error) || isTransactionConflict(error);
      const isSafe = policy === 'idempotent' || wasNotExecuted(error);
      const isLate = attempt >= MAX_ATTEMPTS || performance.now() - start > RETRY_DEADLINE_MS;
      if (isLate || !isTransient || !isSafe) throw error;
      await sleep(RETRY_DELAY_MS * attempt);
    }
  }
}
