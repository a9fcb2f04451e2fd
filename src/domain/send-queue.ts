import { InvalidDataError } from './errors.js';
import type { RoomChanged } from './events.js';
import type { MessageDraft } from './message.js';
import type { MessageStore, SendOutcome } from './ports.js';

/** Drafts that go to the database in one call, at most. Keeps the room's lock short. */
const LARGEST_BATCH = 100;

interface Waiting {
  readonly draft: MessageDraft;
  readonly resolve: (outcome: SendOutcome) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Sends in batches: what waits for one room while a call for it is under way becomes the next call. So a busy room
 * costs one lock and one commit per batch, sends of one socket keep their order, and an idle room waits for nothing.
 */
export function createSendQueue(messages: MessageStore, deliver: (change: RoomChanged) => void) {
  /** The rooms with a call under way; what came meanwhile, by arrival. */
  const rooms = new Map<string, Waiting[]>();

  async function write(roomId: string, batch: readonly Waiting[]): Promise<void> {
    try {
      const { outcomes, change } = await messages.send(
        roomId,
        batch.map(({ draft }) => draft),
      );
      if (change) deliver(change);
      for (const [index, { resolve, reject }] of batch.entries()) {
        const outcome = outcomes[index];
        if (outcome) resolve(outcome);
        else reject(new Error('The database answered fewer rows than it was given.'));
      }
    } catch (error) {
      // One draft that the database refuses must not harm the others: each goes alone then.
      if (error instanceof InvalidDataError && batch.length > 1)
        for (const waiting of batch) await write(roomId, [waiting]);
      else for (const { reject } of batch) reject(error);
    }
  }

  async function drain(roomId: string, waiting: Waiting[]): Promise<void> {
    while (waiting.length > 0) await write(roomId, waiting.splice(0, LARGEST_BATCH));
    rooms.delete(roomId);
  }

  return {
    send: (roomId: string, draft: MessageDraft) =>
      new Promise<SendOutcome>((resolve, reject) => {
        const entry = { draft, resolve, reject };
        const waiting = rooms.get(roomId);
        if (waiting) {
          waiting.push(entry);
          return;
        }
        const first = [entry];
        rooms.set(roomId, first);
        void drain(roomId, first);
      }),
  };
}
