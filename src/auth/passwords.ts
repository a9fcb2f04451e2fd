import { availableParallelism } from 'node:os';
import { hash, verify } from '@node-rs/argon2';
import { RateLimitedError } from '../domain/errors.js';
import type { PasswordHasher } from '../domain/user.js';
import { createSemaphore } from '../lib/semaphore.js';

/** OWASP's minimum for Argon2id, which is the package's default: 19 MiB, 2 passes, 1 lane (Password Storage Cheat Sheet). */
const ARGON2_OPTIONS = { memoryCost: 19_456, timeCost: 2, parallelism: 1 };

/** Hashes at once. One core is left for the event loop, and one of libuv's four threads for files and names of hosts. */
const MAX_CONCURRENT_HASHES = Math.min(3, Math.max(1, availableParallelism() - 1));
/** Hashes that may wait: with about 40 ms each, the last one waits less than 3 s. */
export const MAX_WAITING_HASHES = 64;
/** When a hash that was refused may be asked for again, in ms. */
const RETRY_AFTER_MS = 3000;

/** The classes of the queue, in the order in which they are served. */
const LOGIN = 0;
const SIGN_UP = 1;

/**
 * Creates a hasher that runs Argon2id in libuv's thread pool, so that the event loop is never blocked.
 *
 * @param maxWaiting hashes that may wait for their turn.
 */
export async function createPasswordHasher(
  maxWaiting = MAX_WAITING_HASHES,
): Promise<PasswordHasher & { readonly waiting: number }> {
  // Verified if the user is unknown, so that the response time does not reveal which usernames exist.
  const decoy = await hash(crypto.randomUUID(), ARGON2_OPTIONS);
  const turns = createSemaphore({
    permits: MAX_CONCURRENT_HASHES,
    classes: 2,
    queue: { max: maxWaiting, error: () => new RateLimitedError(RETRY_AFTER_MS) },
  });
  return {
    hash: (password, address) =>
      turns.run(() => hash(password, ARGON2_OPTIONS), { priority: SIGN_UP, key: address }),
    verify: (stored, password, address) =>
      turns.run(
        async () => {
          const matches = await verify(stored ?? decoy, password);
          return matches && stored !== null;
        },
        { priority: LOGIN, key: address },
      ),
    isWeak,
    get waiting() {
      return turns.waiting;
    },
  };
}

/** Reads the parameters from the hash, in the PHC string format: `$argon2id$v=19$m=19456,t=2,p=1$…`. */
function isWeak(stored: string): boolean {
  const [, memoryCost = 0, timeCost = 0] = /\$m=(\d+),t=(\d+),/.exec(stored)?.map(Number) ?? [];
  return memoryCost < ARGON2_OPTIONS.memoryCost || timeCost < ARGON2_OPTIONS.timeCost;
}
