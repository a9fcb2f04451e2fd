import { createEpochStore } from './epoch.js';
import { createMessageStore } from './message/store.js';
import type { Pool } from './pool.js';
import { createChangeLog } from './recent.js';
import { createRoomStore } from './room.js';
import { createUserStore } from './user.js';

/** Everything that is read from the database and written to it. */
export function createStores(pool: Pool) {
  return {
    users: createUserStore(pool),
    rooms: createRoomStore(pool),
    messages: createMessageStore(pool),
    epochs: createEpochStore(pool),
    changes: createChangeLog(pool),
  };
}
