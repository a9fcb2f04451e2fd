import { type Deliver, safeDelivery } from './deliver.js';
import { ServiceUnavailableError } from './errors.js';
import type { MessageDraft } from './message.js';
import type { MessageStore, SendOutcome } from './message-store.js';
import type { Log } from './ports.js';

/** Drafts that go to the database in one call, at most. Keeps the room's lock short. */
const MAX_BATCH_SIZE = 100;

/** How many drafts may be on their way to the database, those of the calls under way included. */
export interface SendBounds {
  readonly perRoom: number;
  readonly overall: number;
}

/** At 1000 messages a second a full room is a wait of a second: more would only wait longer, and fill the memory. */
const BOUNDS: SendBounds = { perRoom: 1000, overall: 10_000 };

interface Pending {
  readonly draft: MessageDraft;
  readonly resolve: (outcome: SendOutcome) => void;
  readonly reject: (error: unknown) => void;
}

/** A room with a call under way, and what goes after it. */
interface Room {
  readonly id: string;
  /** Parts of a batch that the database refused, which go first. */
  readonly parts: Pending[][];
  /** What came meanwhile, by arrival. */
  readonly waiting: Pending[];
  /** All that is not answered yet. */
  pending: number;
}

/**
 * Sends in batches: what waits for one room while a call for it is under way becomes the next call. So a busy room
 * costs one lock and one commit per batch, sends of one socket keep their order, and an idle room waits for nothing.
 *
 * `send` throws what the store throws, and ServiceUnavailableError at once where too much waits already.
 */
export function createSendQueue(messages: MessageStore, deliver: Deliver, log: Log, bounds = BOUNDS) {
  const tell = safeDelivery(deliver, log);
  /** The rooms with a call under way. */
  const rooms = new Map<string, Room>();
  let pending = 0;

  function answered(room: Room, { length }: readonly Pending[]): void {
    room.pending -= length;
    pending -= length;
  }

  function fail(room: Room, batch: readonly Pending[], error: unknown): void {
    answered(room, batch);
    for (const { reject } of batch) reject(error);
  }

  async function write(room: Room, batch: Pending[]): Promise<void> {
    let stored: Awaited<ReturnType<MessageStore['send']>>;
    try {
      stored = await messages.send(
        room.id,
        batch.map(({ draft }) => draft),
      );
    } catch (error) {
      refused(room, batch, error);
      return;
    }
    answered(room, batch);
    if (stored.change) tell(stored.change);
    for (const [index, { resolve, reject }] of batch.entries()) {
      const outcome = stored.outcomes[index];
      if (outcome) resolve(outcome);
      else reject(new Error('The database answered fewer rows than it was given.'));
    }
  }

  function refused(room: Room, batch: Pending[], error: unknown): void {
    if (!(error instanceof ServiceUnavailableError) && batch.length > 1) {
      // One draft that the database refuses (its data, an account that is gone) must not harm the others. By halves, it
      // is found in few calls.
      const middle = Math.ceil(batch.length / 2);
      room.parts.unshift(batch.slice(0, middle), batch.slice(middle));
      return;
    }
    fail(room, batch, error);
    // Whoever waits has waited as long as this call took. The next one would find the same database and the same lock,
    // and make them wait for another time-out.
    if (error instanceof ServiceUnavailableError)
      for (const behind of [...room.parts.splice(0), room.waiting.splice(0)]) fail(room, behind, error);
  }

  async function drain(room: Room): Promise<void> {
    for (;;) {
      const batch = room.parts.shift() ?? room.waiting.splice(0, MAX_BATCH_SIZE);
      if (batch.length === 0) break;
      await write(room, batch);
    }
    rooms.delete(room.id);
  }

  return {
    send: (roomId: string, draft: MessageDraft) =>
      new Promise<SendOutcome>((resolve, reject) => {
        const found = rooms.get(roomId);
        if (pending >= bounds.overall || (found && found.pending >= bounds.perRoom)) {
          reject(new ServiceUnavailableError());
          return;
        }
        const room = found ?? { id: roomId, parts: [], waiting: [], pending: 0 };
        room.waiting.push({ draft, resolve, reject });
        room.pending += 1;
        pending += 1;
        if (found) return;
        rooms.set(roomId, room);
        void drain(room);
      }),
  };
}
