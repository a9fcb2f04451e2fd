import { setTimeout as delay } from 'node:timers/promises';
import postgres from 'postgres';

/** What postgres.js needs to reach an embedded server. */
export interface Connection {
  /** The socket's folder, or a loopback address. */
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly username: string;
  readonly password?: string;
}

/** Proof that this process owns the server. */
export interface OwnerLock {
  /** Resolves when the connection ends before `release`; the lock is free then. Never rejects. */
  readonly lost: Promise<void>;
  /** Makes a database unless it is there. */
  ensureDatabase(name: string): Promise<void>;
  /** Gives the lock back. Idempotent. */
  release(): Promise<void>;
}

/** Any number will do: nothing else takes advisory locks in the database `postgres`. This one spells Parley. */
const LOCK_KEY = '0x5061726c6579';

/** The backend of an owner that was killed needs a moment to notice and to let go. */
const LOCK_TIMEOUT_MS = 2_000;

/**
 * Takes the session lock of the owner, on a connection of its own.
 *
 * @throws the driver's error: 55P03 (see `isLockHeld`) when another process keeps the lock
 */
export async function takeOwnerLock(connection: Connection): Promise<OwnerLock> {
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
    // By default postgres.js replaces a connection within the hour: the lock would be gone without a word.
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

/** Whether taking the lock failed because another process has it. */
export function isLockHeld(error: unknown): boolean {
  return error instanceof postgres.PostgresError && error.code === '55P03';
}

/**
 * Whether connecting failed for a reason that may pass: the server starts, stops (57P…), is out of connections
 * (53…), or isn't there. What is left are refusals: of the user, of the password, of the database.
 */
export function mayPass(error: unknown): boolean {
  if (error instanceof postgres.PostgresError) return /^(57P|53)/.test(error.code);
  return error instanceof Error && 'code' in error;
}

/** Keeps a lock once it was taken. */
export interface LockKeeper {
  /** Ends the keeping, not yet the lock: it gives back the lock to release, if there is one now. */
  letGo(): OwnerLock | undefined;
}

/**
 * Takes the lock again when its connection is lost though the server is not: a backend that crashes makes
 * Postgres disconnect everyone.
 *
 * @param taken the lock to keep
 * @param server how to reach it, and whether it still runs
 * @param report told `back` when the lock was taken again, and `gone`, once, when there is no hope of it
 */
export function keepOwnerLock(
  taken: OwnerLock,
  server: { connection: Connection; isRunning: () => Promise<boolean> },
  report: (outcome: 'back' | 'gone') => void,
): LockKeeper {
  let lock: OwnerLock | undefined = taken;
  let over = false;

  async function retake(): Promise<OwnerLock | undefined> {
    while (!over && (await server.isRunning())) {
      try {
        return await takeOwnerLock(server.connection);
      } catch (error) {
        if (isLockHeld(error) || !mayPass(error)) return undefined;
      }
      await delay(100);
    }
    return undefined;
  }

  async function watch(): Promise<void> {
    while (lock !== undefined && !over) {
      await lock.lost;
      await lock.release();
      lock = await retake();
      if (!over) report(lock === undefined ? 'gone' : 'back');
    }
    if (over) await lock?.release();
  }

  void watch();
  return {
    letGo() {
      over = true;
      return lock;
    },
  };
}
