import { type DatabaseAddress, openDatabase } from '../../src/storage/database.js';
import { createStores } from '../../src/storage/stores.js';
import { stopAtEnd } from './stopping.js';

/**
 * Opens the storage alone: writes through it publish no event on the bus. It is closed at the end of the test file at the
 * latest.
 */
export function openStoresAt(address: DatabaseAddress) {
  const pool = openDatabase(address);
  const close = async (): Promise<void> => {
    closed();
    await pool.close();
  };
  const closed = stopAtEnd(close);
  return { ...createStores(pool), close };
}

export type Stores = ReturnType<typeof openStoresAt>;
