import { TurnQueue } from '../../lib/turn-queue.js';
import { ServiceUnavailableError } from '../errors.js';
import { type PublishChange, withErrorLogging } from '../events.js';
import type { Log } from '../ports.js';
import type { MessageDraft } from './message.js';
import type { MessageStore, SendOutcome, Sent } from './store.js';

/** Maximum number of drafts per call of the store, which keeps the room's lock short. */
const MAX_BATCH_SIZE = 100;

/** Maximum numbers of pending drafts, including those of the calls in progress. */
export interface SendQueueLimits {
  readonly perRoom: number;
  readonly overall: number;
}

/** At 1000 messages per second, a full queue means a wait of 1 s. More drafts would only wait longer and use up memory. */
const DEFAULT_LIMITS: SendQueueLimits = { perRoom: 1000, overall: 10_000 };

interface PendingDraft {
  readonly draft: MessageDraft;
  readonly resolve: (outcome: SendOutcome) => void;
  readonly reject: (error: unknown) => void;
}

/** The queue of a room with a call in progress. */
interface RoomQueue {
  readonly id: string;
  /** Halves of batches that the database rejected. They are sent first. */
  readonly parts: PendingDraft[][];
  /** Drafts that arrived during the call. Their authors take turns; those of one author stay in order. */
  readonly waiting: TurnQueue<PendingDraft>;
  /** Number of drafts without an outcome yet. */
  pending: number;
}

/**
 * Sends drafts in batches: what arrives for a room while a call for it is in progress goes into the next call. A busy room
 * therefore costs one lock and one commit per batch, the sends of one socket keep their order, and the first send to an idle
 * room waits for nothing. Authors take turns, so one with many drafts delays another's single one by one batch at most.
 *
 * `send` rejects with the store's error, and with ServiceUnavailableError if too many drafts are pending: for the newest
 * draft of the author who has the most.
 */
export function createSendQueue(
  send: MessageStore['send'],
  publish: PublishChange,
  log: Log,
  limits = DEFAULT_LIMITS,
) {
  const publishSafely = withErrorLogging(publish, log);
  /** The queues of the rooms with a call in progress, by room id. */
  const rooms = new Map<string, RoomQueue>();
  const pendingByAuthor = new Map<string, number>();
  let pending = 0;

  const pendingOf = ({ draft }: PendingDraft): number => pendingByAuthor.get(draft.authorId) ?? 0;

  function count(room: RoomQueue, { authorId }: MessageDraft, change: 1 | -1): void {
    room.pending += change;
    pending += change;
    const ofAuthor = (pendingByAuthor.get(authorId) ?? 0) + change;
    if (ofAuthor > 0) pendingByAuthor.set(authorId, ofAuthor);
    else pendingByAuthor.delete(authorId);
  }

  function settled(room: RoomQueue, batch: readonly PendingDraft[]): void {
    for (const { draft } of batch) count(room, draft, -1);
  }

  function fail(room: RoomQueue, batch: readonly PendingDraft[], error: unknown): void {
    settled(room, batch);
    for (const { reject } of batch) reject(error);
  }

  async function sendBatch(room: RoomQueue, batch: PendingDraft[]): Promise<void> {
    let stored: Sent;
    try {
      stored = await send(
        room.id,
        batch.map(({ draft }) => draft),
      );
    } catch (error) {
      handleFailure(room, batch, error);
      return;
    }
    settled(room, batch);
    if (stored.change) publishSafely(stored.change);
    for (const [index, { resolve, reject }] of batch.entries()) {
      const outcome = stored.outcomes[index];
      if (outcome) resolve(outcome);
      else reject(new Error('The store returned fewer outcomes than it was given drafts.'));
    }
  }

  function handleFailure(room: RoomQueue, batch: PendingDraft[], error: unknown): void {
    if (!(error instanceof ServiceUnavailableError) && batch.length > 1) {
      // A single rejected draft (invalid data, a deleted account) must not fail the others. Halving the batch isolates it in
      // few calls.
      const middle = Math.ceil(batch.length / 2);
      room.parts.unshift(batch.slice(0, middle), batch.slice(middle));
      return;
    }
    fail(room, batch, error);
    // The waiting drafts have waited as long as this call took. Another call would meet the same database and the same lock,
    // and make them wait for another timeout.
    if (error instanceof ServiceUnavailableError)
      for (const next of [...room.parts.splice(0), room.waiting.takeAll()]) fail(room, next, error);
  }

  async function drain(room: RoomQueue): Promise<void> {
    for (;;) {
      const batch = room.parts.shift() ?? room.waiting.takeAll(MAX_BATCH_SIZE);
      if (batch.length === 0) break;
      await sendBatch(room, batch);
    }
    rooms.delete(room.id);
  }

  /** Whether one more draft may wait. Drops another one for it, if an author in that room has more of them. */
  function hasPlace(newcomer: PendingDraft, room: RoomQueue | undefined): boolean {
    const isRoomFull = room !== undefined && room.pending >= limits.perRoom;
    if (!isRoomFull && pending < limits.overall) return true;
    const crowded = isRoomFull ? room : longest(rooms.values());
    const newest = crowded?.waiting.newestOfLongest();
    if (!crowded || !newest || pendingOf(newest) <= pendingOf(newcomer) + 1) return false;
    crowded.waiting.delete(0, newest.draft.authorId, newest);
    fail(crowded, [newest], new ServiceUnavailableError());
    return true;
  }

  return {
    /** Drafts without an outcome yet. */
    get size() {
      return pending;
    },

    send: (roomId: string, draft: MessageDraft) =>
      new Promise<SendOutcome>((resolve, reject) => {
        const current = rooms.get(roomId);
        const newcomer = { draft, resolve, reject };
        if (!hasPlace(newcomer, current)) {
          reject(new ServiceUnavailableError());
          return;
        }
        const room = current ?? { id: roomId, parts: [], waiting: new TurnQueue(), pending: 0 };
        room.waiting.add(0, draft.authorId, newcomer);
        count(room, draft, 1);
        if (current) return;
        rooms.set(roomId, room);
        void drain(room);
      }),
  };
}

/** The room in which the most drafts wait. */
function longest(rooms: Iterable<RoomQueue>): RoomQueue | undefined {
  let found: RoomQueue | undefined;
  for (const room of rooms) if (room.waiting.size > (found?.waiting.size ?? 0)) found = room;
  return found;
}
