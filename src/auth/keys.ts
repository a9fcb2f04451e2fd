import { hkdfSync } from 'node:crypto';

/** What a key is for. Keys for different purposes are independent of each other, and of the secret itself. */
export type KeyPurpose = 'bus';

const KEY_BYTES = 32;

/** Derives a key from the deployment's secret, `JWT_SECRET` (HKDF, RFC 5869, with SHA-256). */
export function deriveKey(secret: string, purpose: KeyPurpose): Buffer {
  return Buffer.from(hkdfSync('sha256', secret, '', `parley/${purpose}/1`, KEY_BYTES));
}
