import { setTimeout as delay } from 'node:timers/promises';
import postgres from 'postgres';

/** Options with which postgres.js connects to an embedded server. */
export interface Connection {
  /** The socket folder, or a loopback address. */
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly username: string;
  readonly password?: string;
}

/** Proves that this process owns the server. */
export interface OwnerLock {
  /** Resolves if the connection, and with it the lock, is lost before `release`. Never rejects. */
  readonly lost: Promise<void>;
  /** Creates a database if it does not exist. */
  ensureDatabase(name: string): Promise<void>;
  /** Releases the lock. Idempotent. */
  release(): Promise<void>;
}

/** Arbitrary, since nothing else takes advisory locks in the database `postgres`: the ASCII codes of "Parley". */
const LOCK_KEY = '0x5061726c6579';

/** The backend of a killed owner needs a moment to notice that and release the lock. */
const LOCK_TIMEOUT_MS = 2_000;
const REACQUIRE_INTERVAL_MS = 100;

/**
 * Acquires the owner's session lock, on a connection of its own.
 *
 * @throws the driver's error; `isLockHeld` recognizes that another process holds the lock.
 */
export async function acquireOwnerLock(connection: Connection): Promise<OwnerLock> {
  let held = false;
  let lose: () => void = () => undefined;
  const lost = new Promise<void>((resolve) => {
    lose = resolve;
  });
  const sql = postgres({
    ...connection,
    database: 'postgres',
    max: 1,
    idle_timeout: 0,
    // By default postgres.js replaces a connection within the hour, and the lock would be lost unnoticed.
    max_lifetime: null,
    connect_timeout: 5,
    ssl: false,
    prepare: false,
    fetch_types: false,
    onnotice: () => undefined,
    connection: { application_name: 'parley owner', lock_timeout: LOCK_TIMEOUT_MS, idle_session_timeout: 0 },
    onclose: () => {
      if (held) lose();
    },
  });
  const release = () => {
    held = false;
    return sql.end({ timeout: 0 });
  };
  try {
    await sql`select pg_advisory_lock(${sql.unsafe(`${LOCK_KEY}::bigint`)})`;
    held = true;
  } catch (error) {
    await release();
    throw error;
  }
  return {
    lost,
    async ensureDatabase(name) {
      const found = await sql`select 1 from pg_database where datname = ${name}`;
      if (found.length === 0) await sql`create database ${sql(name)} encoding 'UTF8'`;
    },
    release,
  };
}

/** Whether acquiring the lock failed because another process holds it. */
export function isLockHeld(error: unknown): boolean {
  return error instanceof postgres.PostgresError && error.code === '55P03';
}

/**
 * Whether a connection failed for a reason that may pass: the server starts or stops (57P…), is out of connections (53…), or
 * does not run. All other errors are refusals, of the user, the password or the database.
 */
export function isTransient(error: unknown): boolean {
  if (error instanceof postgres.PostgresError) return /^(57P|53)/.test(error.code);
  return error instanceof Error && 'code' in error;
}

/** Reacquires a lock whenever it is lost. */
export interface LockMaintenance {
  /** Ends the maintenance without releasing the lock. Returns the lock if it is held, for the caller to release. */
  stop(): OwnerLock | undefined;
}

/**
 * Reacquires the lock when its connection is lost while the server still runs: Postgres disconnects all clients when
 * one of its backends crashes.
 *
 * @param acquired the lock to maintain.
 * @param server how to connect to the server, and whether it still runs.
 * @param onChange called with `reacquired` each time the lock was lost and acquired again, and with `lost`, once, if that
 *   is impossible.
 */
export function maintainOwnerLock(
  acquired: OwnerLock,
  server: { connection: Connection; isRunning: () => Promise<boolean> },
  onChange: (outcome: 'reacquired' | 'lost') => void,
): LockMaintenance {
  let lock: OwnerLock | undefined = acquired;
  let stopped = false;

  async function reacquire(): Promise<OwnerLock | undefined> {
    while (!stopped && (await server.isRunning())) {
      try {
        return await acquireOwnerLock(server.connection);
      } catch (error) {
        if (isLockHeld(error) || !isTransient(error)) return undefined;
      }
      await delay(REACQUIRE_INTERVAL_MS);
    }
    return undefined;
  }

  async function watch(): Promise<void> {
    while (lock !== undefined && !stopped) {
      await lock.lost;
      await lock.release();
      lock = await reacquire();
      if (!stopped) onChange(lock === undefined ? 'lost' : 'reacquired');
    }
    if (stopped) await lock?.release();
  }

  void watch();
  return {
    stop() {
      stopped = true;
      return lock;
    },
  };
}
