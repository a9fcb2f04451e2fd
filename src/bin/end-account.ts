import { setTimeout as sleep } from 'node:timers/promises';
import { loadConfig } from '../config/index.js';
import { openConfiguredDatabase } from '../database.js';
import { newId } from '../domain/id.js';
import { createResources } from '../lib/resources.js';
import { createLog } from '../log.js';
import { StartupError } from '../startup-error.js';
import { createStores } from '../storage/stores.js';
import { runProgram } from './process.js';

/** How long the command waits for a database that does not answer, in ms. */
const DATABASE_TIMEOUT_MS = 15_000;
/** Time after which every running instance refuses the tokens of the account, in ms. */
const NOTICE_MS = 2500;

/*
 * `npm run end-account -- <username>` ends an account: its tokens are refused, its WebSockets are closed, and it is removed
 * from each of its rooms by a message of type MEMBER_REMOVED, which ends its subscriptions. Running instances notice within
 * a second. The command can be repeated: it goes on where it was interrupted.
 */
await runProgram(async () => {
  const [username, ...others] = process.argv.slice(2);
  if (username === undefined || others.length > 0)
    throw new StartupError('Name one account: npm run end-account -- <username>');
  const config = loadConfig();
  const log = createLog(config);
  const resources = createResources();
  try {
    const database = await openConfiguredDatabase(
      config,
      log,
      resources,
      AbortSignal.timeout(DATABASE_TIMEOUT_MS),
    );
    const { users, rooms } = createStores(database);
    const userId = await users.end(username);
    if (userId === null) throw new StartupError(`There is no account with the username ${username}.`);
    let removals = await removeFromRooms(userId);
    // A room that the account has joined or created meanwhile.
    await sleep(NOTICE_MS);
    removals += await removeFromRooms(userId);
    log.info({ username, rooms: removals }, 'The account has ended');

    async function removeFromRooms(id: string): Promise<number> {
      let count = 0;
      for (;;) {
        const joined = await rooms.findRoomIds(id);
        if (joined.length === 0) return count;
        for (const roomId of joined) {
          const removal = await rooms.removeMember({ roomId, userId: id, actorId: null, messageId: newId() });
          if (removal) count += 1;
        }
      }
    }
  } finally {
    await resources.close();
  }
});
