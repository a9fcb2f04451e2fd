import type { MessageStore, NamedHead } from '../../domain/message/store.js';
import { createBatcher } from '../../lib/batcher.js';

/** Time within which look-ups share a statement, in ms. */
const BATCH_INTERVAL_MS = 5;
const MAX_BATCH_SIZE = 500;
const MAX_RUNNING = 2;

/** Reads the epoch and a room's head in one snapshot. `found` is null if the room does not exist. */
export type ReadHead = (
  roomId: string,
) => Promise<{ readonly epoch: string; readonly found: NamedHead | null }>;

/** Reads the heads with which feeds open, those of many rooms in one statement. */
export function createHeadReader(messages: Pick<MessageStore, 'readHeads'>): ReadHead {
  const batcher = createBatcher<string, Awaited<ReturnType<ReadHead>>>({
    async run(roomIds) {
      const { epoch, heads } = await messages.readHeads(roomIds);
      return roomIds.map((roomId) => ({ epoch, found: heads.get(roomId) ?? null }));
    },
    maxCost: MAX_BATCH_SIZE,
    maxRunning: MAX_RUNNING,
    intervalMs: BATCH_INTERVAL_MS,
  });
  return (roomId) => batcher.run(roomId);
}
