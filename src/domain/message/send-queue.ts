import { ServiceUnavailableError } from '../errors.js';
import { type PublishChange, withErrorLogging } from '../events.js';
import type { Log } from '../ports.js';
import type { MessageDraft } from './message.js';
import type { MessageStore, SendOutcome } from './store.js';

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
  /** Drafts that arrived during the call, in order of arrival. */
  readonly waiting: PendingDraft[];
  /** Number of drafts without an outcome yet. */
  pending: number;
}

/**
 * Sends drafts in batches: everything that arrives for a room while a call for it is in progress goes into the next call. A
 * busy room therefore costs one lock and one commit per batch, the sends of one socket keep their order, and the first send
 * to an idle room waits for nothing.
 *
 * `send` rejects with the store's error, and at once with ServiceUnavailableError if too many drafts are pending.
 */
export function createSendQueue(
  messages: MessageStore,
  publish: PublishChange,
  log: Log,
  limits = DEFAULT_LIMITS,
) {
  const publishSafely = withErrorLogging(publish, log);
  /** The queues of the rooms with a call in progress, by room id. */
  const rooms = new Map<string, RoomQueue>();
  let pending = 0;

  function settled(room: RoomQueue, { length }: readonly PendingDraft[]): void {
    room.pending -= length;
    pending -= length;
  }

  function fail(room: RoomQueue, batch: readonly PendingDraft[], error: unknown): void {
    settled(room, batch);
    for (const { reject } of batch) reject(error);
  }

  async function sendBatch(room: RoomQueue, batch: PendingDraft[]): Promise<void> {
    let stored: Awaited<ReturnType<MessageStore['send']>>;
    try {
      stored = await messages.send(
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
      for (const next of [...room.parts.splice(0), room.waiting.splice(0)]) fail(room, next, error);
  }

  async function drain(room: RoomQueue): Promise<void> {
    for (;;) {
      const batch = room.parts.shift() ?? room.waiting.splice(0, MAX_BATCH_SIZE);
      if (batch.length === 0) break;
      await sendBatch(room, batch);
    }
    rooms.delete(room.id);
  }

  return {
    send: (roomId: string, draft: MessageDraft) =>
      new Promise<SendOutcome>((resolve, reject) => {
        const current = rooms.get(roomId);
        if (pending >= limits.overall || (current && current.pending >= limits.perRoom)) {
          reject(new ServiceUnavailableError());
          return;
        }
        const room = current ?? { id: roomId, parts: [], waiting: [], pending: 0 };
        room.waiting.push({ draft, resolve, reject });
        room.pending += 1;
        pending += 1;
        if (current) return;
        rooms.set(roomId, room);
        void drain(room);
      }),
  };
}
