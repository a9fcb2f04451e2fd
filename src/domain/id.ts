import { v7 } from 'uuid';

const RANDOM_BYTES = 16;
/** Random bytes for some ids to come: to ask the system for those of one costs as much as for all of these. */
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

/** A new id for a row. Time-ordered (UUIDv7), so that new rows stand together in their index. */
export function newId(): string {
  return v7({ rng: randomBytes });
}

/** The 16 bytes of a UUID in its text form. */
export function uuidToBytes(uuid: string): Buffer {
  return Buffer.from(uuid.replaceAll('-', ''), 'hex');
}

/** The text form of 16 bytes, in lower case, as Postgres prints it. */
export function bytesToUuid(bytes: Uint8Array): string {
  const hex = Buffer.from(bytes).toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}
