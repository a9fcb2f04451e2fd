import { hash, verify } from '@node-rs/argon2';
import type { PasswordHasher } from '../domain/user.js';

/** OWASP's minimum for Argon2id, which is the package's default: 19 MiB, 2 passes, 1 lane (Password Storage Cheat Sheet). */
const ARGON2_OPTIONS = { memoryCost: 19_456, timeCost: 2, parallelism: 1 };

/** Creates a hasher that runs Argon2id in libuv's thread pool, so that the event loop is never blocked. */
export async function createPasswordHasher(): Promise<PasswordHasher> {
  // Verified if the user is unknown, so that the response time does not reveal which usernames exist.
  const decoy = await hash(crypto.randomUUID(), ARGON2_OPTIONS);
  return {
    hash: (password) => hash(password, ARGON2_OPTIONS),
    async verify(stored, password) {
      const matches = await verify(stored ?? decoy, password);
      return matches && stored !== null;
    },
  };
}
