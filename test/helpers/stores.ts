import { type DatabaseAddress, openDatabase } from '../../src/storage/database.js';
import { createEpochStore } from '../../src/storage/epoch.js';
import { createMessageStore } from '../../src/storage/message.js';
import { createRoomStore } from '../../src/storage/room.js';
import { stopInTheEnd } from './stopping.js';

/**
 * The storage of an instance that nobody knows of: what is written through it rings no bell. It is closed at the end of the
 * test file, if the test didn't.
 */
export function openStoresAt(address: DatabaseAddress) {
  const pool = openDatabase(address);
  const close = async (): Promise<void> => {
    closed();
    await pool.close();
  };
  const closed = stopInTheEnd(close);
  return {
    rooms: createRoomStore(pool),
    messages: createMessageStore(pool),
    epochs: createEpochStore(pool),
    close,
  };
}

export type Stores = ReturnType<typeof openStoresAt>;
