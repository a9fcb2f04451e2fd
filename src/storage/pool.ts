import { sql } from 'drizzle-orm';
import { drizzle, type PostgresJsDatabase } from 'drizzle-orm/postgres-js';
import type postgres from 'postgres';
import { ServiceUnavailableError } from '../domain/errors.js';
import { createSemaphore } from '../lib/semaphore.js';
import { withTimeout } from '../lib/timeout.js';
import { isConnectionLost } from './errors.js';

/** Drizzle's, with the driver's client that it is made of. */
export type Database = PostgresJsDatabase & { readonly $client: postgres.Sql };

/** The way to the database: bounded, so that nobody waits for it longer than its time-outs. */
export interface Pool {
  /**
   * Runs a call with a connection of its own; a call should have no two statements under way at once.
   *
   * @throws ServiceUnavailableError where there was no turn, or no answer, in time, and the driver's errors.
   */
  run<Result>(call: (db: Database) => Promise<Result>): Promise<Result>;
  /** Resolves where the database answers; rejects as `run` does. */
  ping(): Promise<void>;
  /** Gives what is under way a second to end, then cuts it off. Later calls reject. */
  close(): Promise<void>;
}

/** The connections of one instance. */
export const POOL_SIZE = 10;
/** How long a call waits for its turn, in ms. */
const ACQUIRE_TIMEOUT_MS = 5_000;
/**
 * How long a call may take, in ms. The server ends a statement by itself before that (`statement_timeout`), so whoever
 * gets here talks to a server or a network that went silent.
 */
const CALL_TIMEOUT_MS = 20_000;
const CLOSE_TIMEOUT_MS = 1_000;
/** How long connections that are idle may take to say goodbye, in seconds. */
const GOODBYE_S = 0.5;

/** Connections that were opened by one client of the driver. */
interface Generation {
  readonly client: postgres.Sql;
  readonly db: Database;
  calls: number;
}

/**
 * Makes a pool of the driver's clients, one at a time. The driver (postgres.js 3.4) would queue calls without a bound,
 * and have them wait on a connection that is busy with another, hence the turns. And it does not survive its own lost
 * connections: one that breaks during a query tells its next query of it, or never writes again. So after a loss the
 * client is replaced as a whole, and ended when its other calls are done.
 */
export function createPool(connect: () => postgres.Sql, callTimeoutMs = CALL_TIMEOUT_MS): Pool {
  const semaphore = createSemaphore(POOL_SIZE, { ms: ACQUIRE_TIMEOUT_MS, error: unavailable });
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
    await generation.client.end({ timeout: GOODBYE_S }).catch(() => {});
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
      if (isConnectionLost(error)) replace(generation);
      throw error;
    } finally {
      generation.calls -= 1;
      if (generation !== current && generation.calls === 0) void end(generation);
    }
  }

  const run: Pool['run'] = (task) => semaphore.run(() => call(task));
  return {
    run,
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
