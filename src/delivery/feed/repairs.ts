import type { MessageStore, RoomMessages } from '../../domain/message/store.js';
import { createBatcher } from '../../lib/batcher.js';

/** Maximum number of rows that a batch is expected to return. */
const MAX_BATCH_ROWS = 1024;
/** Cost of a room in a batch, however few rows are missing in it. */
const MIN_COST = 2;

/** What a feed needs from the database. */
export interface RepairRequest {
  readonly roomId: string;
  /** The `rev` after which rows are missing. */
  readonly rev: number;
  /** Maximum number of rows. */
  readonly limit: number;
  /** Number of rows that are expected. */
  readonly expected: number;
}

/** Reads what rooms have that is newer than a `rev`; null if the room does not exist. */
export type ReadMissing = (request: RepairRequest) => Promise<RoomMessages | null>;

/**
 * Reads what the feeds of many rooms have missed in few statements, one at a time: after an outage of the bus, a thousand
 * rooms must not take all connections.
 */
export function createRepairs(messages: Pick<MessageStore, 'readSince'>): ReadMissing {
  const batcher = createBatcher<RepairRequest, RoomMessages | null>({
    async run(requests) {
      const found = await messages.readSince(requests);
      return requests.map(({ roomId }) => found.get(roomId) ?? null);
    },
    maxCost: MAX_BATCH_ROWS,
    costOf: ({ limit, expected }) => Math.max(MIN_COST, Math.min(limit, expected)),
    maxRunning: 1,
    intervalMs: 0,
  });
  return (request) => batcher.run(request);
}
