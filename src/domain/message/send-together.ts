import { createBatcher } from '../../lib/batcher.js';
import { ServiceUnavailableError } from '../errors.js';
import type { MessageStore, RoomDrafts, Sent } from './store.js';

/** Maximum number of drafts per call, which keeps the locks of the rooms short. */
const MAX_DRAFTS = 100;
/** Calls at once; while they run, what arrives for other rooms waits for the next call. */
const MAX_RUNNING = 4;
/** Drafts that are worth a call beside others: fewer of them wait for the end of one, and share the next. */
const MIN_DRAFTS_BESIDE = 50;
/** Time after which a call no longer counts, in ms: it waits for a room that somebody has locked. */
const SLOT_MS = 20;

/**
 * Sends drafts of several rooms in one call, if they arrive while other calls run: many rooms with few messages each cost as
 * few calls as one busy room. A room that others write to at the moment is sent to alone, and so is every room of a call
 * that the database rejects.
 */
export function createSendTogether(
  messages: Pick<MessageStore, 'send' | 'sendToRooms'>,
): (roomId: string, drafts: RoomDrafts['drafts']) => Promise<Sent> {
  const batcher = createBatcher<RoomDrafts, Sent | 'busy'>({
    async run(rooms) {
      const [first, ...others] = rooms;
      if (first && others.length === 0) return [await messages.send(first.roomId, first.drafts)];
      try {
        return await messages.sendToRooms(rooms);
      } catch (error) {
        if (error instanceof ServiceUnavailableError) throw error;
        return rooms.map(() => 'busy');
      }
    },
    maxCost: MAX_DRAFTS,
    costOf: ({ drafts }) => drafts.length,
    maxRunning: MAX_RUNNING,
    minCostBeside: MIN_DRAFTS_BESIDE,
    slotMs: SLOT_MS,
    intervalMs: 0,
  });
  return async (roomId, drafts) => {
    const sent = await batcher.run({ roomId, drafts });
    return sent === 'busy' ? messages.send(roomId, drafts) : sent;
  };
}
