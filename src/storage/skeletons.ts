import { isNull, sql } from 'drizzle-orm';
import type { Log } from '../domain/ports.js';
import { usernameSkeleton } from '../domain/text/username.js';
import type { Pool } from './pool.js';
import { users } from './tables.js';

/** Accounts of one transaction. */
const BATCH_SIZE = 500;
const INTERVAL_MS = 60_000;

/**
 * Writes the skeletons of accounts that have none: now, and once a minute, since an instance of the previous release may
 * create others during an upgrade. Instances that run at once share the work.
 */
export function fillSkeletons(database: Pool, log: Log): { close(): Promise<void> } {
  let isClosing = false;
  let running = run();
  const timer = setInterval(() => {
    running = running.then(run);
  }, INTERVAL_MS);

  async function run(): Promise<void> {
    try {
      while (!isClosing && (await fillBatch(database)) === BATCH_SIZE);
    } catch (error) {
      if (!isClosing)
        log.warn({ error: String(error) }, 'Could not write skeletons of usernames: retrying in a minute');
    }
  }

  return {
    async close() {
      isClosing = true;
      clearInterval(timer);
      await running;
    },
  };
}

/** Returns how many accounts without a skeleton were found. */
async function fillBatch(database: Pool): Promise<number> {
  const turn = { turn: 'repair', userId: null } as const;
  const accounts = await database.run(
    (db) =>
      db
        .select({ id: users.id, username: users.username })
        .from(users)
        .where(isNull(users.usernameSkeleton))
        .orderBy(users.id)
        .limit(BATCH_SIZE),
    turn,
  );
  const skeletons = accounts.map(({ id, username }) => ({ id, skeleton: usernameSkeleton(username) }));
  // Locked in one order, so that two instances do not wait for each other.
  if (accounts.length > 0)
    await database.run(
      (db) =>
        db.execute(sql`
          with found as (
            select users.id, given.skeleton
            from jsonb_to_recordset(${JSON.stringify(skeletons)}::text::jsonb) as given (id uuid, skeleton text)
            join users on users.id = given.id and users.username_skeleton is null
            order by users.id
            for no key update of users
          )
          update users set username_skeleton = found.skeleton from found where users.id = found.id`),
      turn,
    );
  return accounts.length;
}
