import { v7 } from 'uuid';

const RANDOM_BYTES = 16;
/** Random bytes for the next ids, requested in bulk: a request for 16 bytes costs as much as one for all of these. */
const pool = new Uint8Array(256 * RANDOM_BYTES);
let used = pool.length;

function randomBytes(): Uint8Array {
  if (used === pool.length) {
    crypto.getRandomValues(pool);
    used = 0;
  }
  used += RANDOM_BYTES;
  return pool.subarray(used - RANDOM_BYTES, used);
}

/** Creates the id of a new row: a UUIDv7, which is ordered by time, so that new rows are neighbors in their index. */
export function newId(): string {
  return v7({ rng: randomBytes });
}

/** Converts the text form of a UUID to its 16 bytes. */
export function uuidToBytes(uuid: string): Buffer {
  return Buffer.from(uuid.replaceAll('-', ''), 'hex');
}

/** Converts 16 bytes to the text form of a UUID, in lower case as Postgres prints it. */
export function bytesToUuid(bytes: Uint8Array): string {
  const hex = Buffer.from(bytes).toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}
