import type { LimitedAction } from '../../src/domain/ports.js';
import { ACTION_LIMITS } from '../../src/redis/rate-limiter.js';
import { stopAtEnd } from './stopping.js';

/** Lowers the limits of these actions until the end of the test file, so that they are reached soon. */
export function lowerLimits(actions: readonly LimitedAction[], points: number): void {
  for (const action of actions) {
    const limit = ACTION_LIMITS[action];
    const before = { ...limit };
    Object.assign(limit, { points });
    stopAtEnd(async () => void Object.assign(limit, before));
  }
}
