import { sql } from 'drizzle-orm';
import { drizzle, type PostgresJsDatabase } from 'drizzle-orm/postgres-js';
import type postgres from 'postgres';
import { ServiceUnavailableError } from '../domain/errors.js';
import { createSemaphore } from '../lib/semaphore.js';
import { withTimeout } from '../lib/timeout.js';
import { isConnectionLost, removeValues } from './errors.js';

/** Drizzle's database, with the driver's client below it. */
export type Database = PostgresJsDatabase & { readonly $client: postgres.Sql };

/**
 * What a call waits for: writes and what a login needs, which people wait for, go before pages of lists, and those before
 * the repairs of feeds, which do not show as long as Redis works.
 */
export const TURNS = ['write', 'page', 'repair'] as const;

/** How a call takes its turn for a connection. */
export interface CallTurn {
  readonly turn: (typeof TURNS)[number];
  /** The user on whose behalf the call is made: those with the same turn take turns. Null for none in particular. */
  readonly userId: string | null;
}

/** Access to the database with a bounded number of connections and bounded waits. */
export interface Pool {
  /**
   * Runs a call with a connection of its own. A call should run its statements one after another.
   *
   * @param turn of a write by nobody in particular by default.
   *
   * @throws ServiceUnavailableError if no connection becomes free within 5 s, or the call takes longer than 20 s;
   *   otherwise the driver's errors.
   */
  run<Result>(call: (db: Database) => Promise<Result>, turn?: CallTurn): Promise<Result>;
  /** Calls that run, each with a connection, and calls that wait for one. */
  readonly load: { readonly running: number; readonly waiting: number };
  /** Resolves if the database answers; rejects as `run` does. */
  ping(): Promise<void>;
  /** Waits up to a second for running calls, then closes their connections. Later calls reject. */
  close(): Promise<void>;
}

/** The connections of one instance. More of them made no measurement faster. */
export const DEFAULT_POOL_SIZE = 10;
/** The share of the connections that one user's calls may take, so that slow ones leave some to others. */
const SHARE_PER_USER = 1 / 2;
/** How long a call waits for a free connection. */
const ACQUIRE_TIMEOUT_MS = 5_000;
/**
 * How long a call may take. The server cancels a slow statement earlier (`statement_timeout`), so this is reached
 * only if the server or the network has stopped answering.
 */
const CALL_TIMEOUT_MS = 20_000;
const CLOSE_TIMEOUT_MS = 1_000;
/** How long idle connections may take to disconnect, in seconds. */
const DISCONNECT_TIMEOUT_S = 0.5;

export interface PoolOptions {
  /** Calls at once: the connections of a client of the driver. */
  readonly size?: number;
  readonly callTimeoutMs?: number;
}

/** The connections of one client of the driver. */
interface Generation {
  readonly client: postgres.Sql;
  readonly db: Database;
  calls: number;
}

/**
 * Creates a pool on top of the driver's client, for two reasons (postgres.js 3.4):
 *
 * - The driver queues calls without a bound, also on connections that are busy. A semaphore admits only as many calls
 *   as there are connections.
 * - The driver does not recover from a connection that is lost during a query: the connection reports the loss to its
 *   next query, or never writes again. The pool replaces the whole client after a loss, and ends the old one when its
 *   other calls have finished.
 */
export function createPool(
  connect: () => postgres.Sql,
  { size = DEFAULT_POOL_SIZE, callTimeoutMs = CALL_TIMEOUT_MS }: PoolOptions = {},
): Pool {
  const semaphore = createSemaphore({
    permits: size,
    permitsPerKey: Math.floor(size * SHARE_PER_USER),
    classes: TURNS.length,
    timeout: { ms: ACQUIRE_TIMEOUT_MS, error: unavailable },
  });
  const generations = new Set<Generation>();
  let closing = false;
  let current = open();

  function open(): Generation {
    const client = connect();
    const generation = { client, db: drizzle(client), calls: 0 };
    generations.add(generation);
    return generation;
  }

  function replace(lost: Generation): void {
    if (lost === current && !closing) current = open();
  }

  async function end(generation: Generation): Promise<void> {
    await generation.client.end({ timeout: DISCONNECT_TIMEOUT_S }).catch(() => {});
    generations.delete(generation);
  }

  async function call<Result>(task: (db: Database) => Promise<Result>): Promise<Result> {
    const generation = current;
    generation.calls += 1;
    try {
      return await withTimeout(task(generation.db), callTimeoutMs, () => {
        replace(generation);
        return unavailable();
      });
    } catch (error) {
      removeValues(error);
      if (isConnectionLost(error)) replace(generation);
      throw error;
    } finally {
      generation.calls -= 1;
      if (generation !== current && generation.calls === 0) void end(generation);
    }
  }

  const run: Pool['run'] = (task, { turn, userId } = { turn: 'write', userId: null }) =>
    semaphore.run(() => call(task), { priority: TURNS.indexOf(turn), key: userId ?? '' });
  return {
    run,
    get load() {
      const { running, waiting } = semaphore;
      return { running, waiting };
    },
    ping: async () => {
      await run((db) => db.execute(sql`select 1`));
    },
    async close() {
      closing = true;
      await withTimeout(semaphore.idle(), CLOSE_TIMEOUT_MS, unavailable).catch(() => {});
      await Promise.all([...generations].map(end));
    },
  };
}

function unavailable(): ServiceUnavailableError {
  return new ServiceUnavailableError();
}
