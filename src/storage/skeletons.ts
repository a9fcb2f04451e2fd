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

/** Returns how many skeletons were written. */
async function fillBatch(database: Pool): Promise<number> {
  return database.run(
    (db) =>
      db.transaction(async (transaction) => {
        const accounts = await transaction
          .select({ id: users.id, username: users.username })
          .from(users)
          .where(isNull(users.usernameSkeleton))
          .orderBy(users.id)
          .limit(BATCH_SIZE)
          .for('no key update', { skipLocked: true });
        const skeletons = accounts.map(({ id, username }) => ({ id, skeleton: usernameSkeleton(username) }));
        await transaction.execute(sql`
          update users set username_skeleton = found.skeleton
          from jsonb_to_recordset(${JSON.stringify(skeletons)}::text::jsonb) as found (id uuid, skeleton text)
          where users.id = found.id`);
        return accounts.length;
      }),
    { turn: 'repair', userId: null },
  );
}
