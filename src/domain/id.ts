import { v7 } from 'uuid';

/** A new id for a row. Time-ordered (UUIDv7), so that new rows stand together in their index. */
export function newId(): string {
  return v7();
}

/** The 16 bytes of a UUID in its text form. */
export function uuidToBytes(uuid: string): Uint8Array {
  return Buffer.from(uuid.replaceAll('-', ''), 'hex');
}

/** The text form of 16 bytes, in lower case, as Postgres prints it. */
export function bytesToUuid(bytes: Uint8Array): string {
  const hex = Buffer.from(bytes).toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}
