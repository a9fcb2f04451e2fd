import { hash, verify } from '@node-rs/argon2';
import type { PasswordHasher } from '../domain/user.js';

/** OWASP's parameters: 19 MiB, 2 passes, 1 lane (Password Storage Cheat Sheet). Argon2id is the package's default. */
const PARAMETERS = { memoryCost: 19_456, timeCost: 2, parallelism: 1 };

/** Argon2id in libuv's thread pool: the event loop goes on meanwhile. */
export async function createPasswordHasher(): Promise<PasswordHasher> {
  // Nobody's password, with the same parameters: verifying against it takes as long as against a real one.
  const decoy = await hash(crypto.randomUUID(), PARAMETERS);
  return {
    hash: (password) => hash(password, PARAMETERS),
    async verify(stored, password) {
      const matches = await verify(stored ?? decoy, password);
      return matches && stored !== null;
    },
  };
}
