import type { RoomAccess } from '../domain/memberships.js';
import type { MessageStore } from '../domain/message/store.js';
import { createBatcher } from '../lib/batcher.js';

/** Time within which look-ups share a statement, in ms. */
const BATCH_INTERVAL_MS = 10;
const MAX_BATCH_SIZE = 500;
const MAX_RUNNING = 4;

/** Reads who may read which room, and the room's head, in one snapshot; null if the room does not exist. */
export type ReadAccess = (roomId: string, userId: string) => Promise<RoomAccess | null>;

/**
 * Looks up what a subscription needs when it opens, for all that open at the same time in one statement: after a restart, all
 * of an instance's clients come back at once.
 */
export function createAccessReader(messages: Pick<MessageStore, 'readAccess'>): ReadAccess {
  const batcher = createBatcher<{ roomId: string; userId: string }, RoomAccess | null>({
    run: async (pairs) => (await messages.readAccess(pairs)).found,
    maxCost: MAX_BATCH_SIZE,
    maxRunning: MAX_RUNNING,
    intervalMs: BATCH_INTERVAL_MS,
  });
  return (roomId, userId) => batcher.run({ roomId, userId });
}
