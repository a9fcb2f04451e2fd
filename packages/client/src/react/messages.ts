import type { ParleyError } from '../errors.js';
import type { BaseMessage } from './documents.js';

/** A message that the server has stored, with the fields of the app's fragment. */
export type SentMessage<Fields> = BaseMessage &
  Fields & {
    /** For React: that of an own message stays the same when it has been stored. */
    readonly key: string;
    readonly status: 'sent';
  };

/** An own message that is not stored yet, or could not be sent. */
export interface UnsentMessage {
  readonly key: string;
  /** `failed` after an error that a retry does not cure by itself: `retry` or `discard` it. */
  readonly status: 'sending' | 'failed';
  readonly error: ParleyError | null;
  readonly id: string;
  readonly seq: 0;
  readonly text: string;
  readonly clientMessageId: string;
}

export type RoomMessage<Fields> = SentMessage<Fields> | UnsentMessage;

/** The messages of a room, each once: those that are stored, and the own ones that are not. */
export interface MessageList<Fields> {
  /** Adds stored messages; of two copies, the one with the higher `revision` is kept. */
  add(messages: Iterable<BaseMessage & Fields>): void;
  /** Updates a message if the list has it. */
  update(message: BaseMessage & Fields): void;
  /** Adds or replaces an own message that is not stored. */
  put(message: UnsentMessage): void;
  /** The own message of this key, if it is not stored. */
  unsent(key: string): UnsentMessage | undefined;
  remove(key: string): void;
  /** In `seq` order, those that are not stored last. */
  all(): readonly RoomMessage<Fields>[];
  /** Forgets the stored messages; those that are not stored stay. */
  clearStored(): void;
}

export function createMessageList<Fields>(): MessageList<Fields> {
  const stored = new Map<string, SentMessage<Fields>>();
  const unsent = new Map<string, UnsentMessage>();
  /** The keys of own messages, by id. */
  const keys = new Map<string, string>();

  function store(message: BaseMessage & Fields): void {
    const { id, revision, clientMessageId } = message;
    // Nobody else knows the `clientMessageId` of a message that is not stored.
    if (clientMessageId !== null && unsent.delete(clientMessageId)) keys.set(id, clientMessageId);
    const known = stored.get(id);
    if (!known || known.revision <= revision)
      stored.set(id, { ...message, key: keys.get(id) ?? id, status: 'sent' });
  }

  return {
    add(messages) {
      for (const message of messages) store(message);
    },
    update(message) {
      if (stored.has(message.id)) store(message);
    },
    put: (message) => void unsent.set(message.key, message),
    unsent: (key) => unsent.get(key),
    remove: (key) => void unsent.delete(key),
    all: () => [...[...stored.values()].sort((a, b) => a.seq - b.seq), ...unsent.values()],
    clearStored: () => stored.clear(),
  };
}
