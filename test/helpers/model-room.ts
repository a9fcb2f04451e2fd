import type { RoomChanged } from '../../src/domain/events.js';
import type { Message } from '../../src/domain/message/message.js';
import type { MessageStore } from '../../src/domain/message/store.js';
import type { Head } from '../../src/domain/position.js';
import { type ChangeLog, EMPTY_SNAPSHOT } from '../../src/domain/recent/changes.js';

export const MODEL_ROOM_ID = '01976b3a-0000-7000-8000-000000000001';
export const MODEL_EPOCH = '00ff00ff00ff00ff';

export const numbers = (from: number, to: number): number[] =>
  Array.from({ length: to - from + 1 }, (_, index) => from + index);

export interface ModelRoom {
  /** Every read of messages waits for this, after its snapshot was taken and before its result. */
  hold(): Promise<void>;
  /** The same for `readHeads`. */
  holdHeads(): Promise<void>;
  /** Whether everybody is a member, except those who were removed. */
  isMember: boolean;
  readonly removed: Set<string>;
  epoch: string;
  /** Whether the database is on another server than the one that its epoch was created on. */
  isMoved: boolean;
  /** Number of reads of messages. */
  reads: number;
  readonly messages: readonly Message[];
  readonly head: Head;
  /** Adds the next message. */
  add(message?: Partial<Pick<Message, 'type' | 'subjectId' | 'text'>>): RoomChanged;
  /** Changes an older message, which takes the room's next `rev`. */
  edit(seq: number): RoomChanged;
  /** Replaces the room by an older copy, with messages up to this `seq`, as after a restart of the database. */
  restore(seq: number): void;
  readonly changes: Pick<ChangeLog, 'readRecent'>;
  readonly store: Pick<
    MessageStore,
    'read' | 'readChanges' | 'readSince' | 'readAccess' | 'findId' | 'readHeads' | 'compareHeads'
  >;
}

/**
 * Creates a room in memory with the rules of the database, for moments that a test over the network cannot hit: a test can
 * hold a read after its snapshot was taken, and let events overtake it. The tests of the storage show that the database
 * follows these rules.
 */
export function createModelRoom(stored = 0): ModelRoom {
  const messages: Message[] = [];
  let rev = 0;
  let restarts = 0;
  /** Heads after each change. A snapshot is the number of changes that it has seen. */
  const heads: Head[] = [];
  const head = (): Head => ({ seq: messages.length, rev });

  const room: ModelRoom = {
    hold: async () => {},
    holdHeads: async () => {},
    isMember: true,
    removed: new Set(),
    epoch: MODEL_EPOCH,
    isMoved: false,
    reads: 0,
    messages,
    get head() {
      return head();
    },

    add({ type = 'TEXT', subjectId = null, text } = {}) {
      const seq = messages.length + 1;
      rev += 1;
      const message = {
        // Another one after a restore.
        id: restarts === 0 ? `message ${seq}` : `message ${seq} of copy ${restarts}`,
        roomId: MODEL_ROOM_ID,
        seq,
        rev,
        type,
        authorId: null,
        subjectId,
        text: text ?? `text ${seq}`,
        revision: 1,
        clientMessageId: null,
        createdAt: new Date(seq),
        changedAt: null,
      };
      messages.push(message);
      return change(message);
    },

    edit(seq) {
      const before = messages[seq - 1];
      if (!before) throw new Error(`There is no message ${seq}.`);
      rev += 1;
      const message = { ...before, rev, revision: before.revision + 1, changedAt: new Date(rev) };
      messages[seq - 1] = message;
      return change(message);
    },

    restore(seq) {
      restarts += 1;
      messages.length = seq;
      rev = Math.max(0, ...messages.map((message) => message.rev));
    },

    changes: {
      async readRecent(since) {
        const seen = since === EMPTY_SNAPSHOT ? 0 : Number(since);
        const newest = heads.slice(seen).at(-1);
        return {
          epoch: room.epoch,
          isMoved: room.isMoved,
          snapshot: String(heads.length),
          oldestRunning: String(heads.length),
          incarnation: String(restarts),
          heads: new Map(newest ? [[MODEL_ROOM_ID, newest]] : []),
          profiles: [],
          endedUserIds: [],
        };
      },
    },

    store: {
      async read(_roomId, readerIds, { size, after, before }) {
        const end = Math.min(before ?? Infinity, messages.length + 1) - 1;
        return respond({
          head: head(),
          ...access(readerIds),
          messages: isReadable(readerIds) ? messages.slice(after ?? 0, end).slice(0, size) : [],
        });
      },
      async readChanges(_roomId, readerIds, { seq, after, upTo, size }) {
        const found = messages.filter(
          (each) => each.seq <= seq && each.rev > after && each.rev <= upTo && each.revision > 1,
        );
        return respond({
          head: head(),
          ...access(readerIds),
          messages: isReadable(readerIds) ? byRev(found).slice(0, size) : [],
        });
      },
      async readSince(rooms) {
        const found = rooms.map(({ roomId, rev: after, limit }) => {
          const later = messages.filter((each) => each.rev > after);
          return [roomId, { head: head(), messages: byRev(later).slice(0, limit) }] as const;
        });
        return respond(new Map(found));
      },
      async readAccess(pairs) {
        const found = pairs.map(({ userId }) => ({
          head: head(),
          membership: isMember(userId) ? ('member' as const) : ('not-a-member' as const),
        }));
        return respond({ epoch: room.epoch, found });
      },
      async findId(_roomId, seq) {
        return messages[seq - 1]?.id ?? null;
      },
      async readHeads(roomIds) {
        const newestId = messages.at(-1)?.id ?? null;
        const heads = new Map(roomIds.map((roomId) => [roomId, { head: head(), newestId }]));
        const found = { epoch: room.epoch, heads };
        await room.holdHeads();
        return found;
      },
      async compareHeads(known) {
        const [each] = known;
        const stored = messages[(each?.head.seq ?? 0) - 1];
        const isReplaced = each?.newestId != null && stored !== undefined && stored.id !== each.newestId;
        const isOther = each && (each.head.seq !== head().seq || each.head.rev !== head().rev);
        const heads = new Map(
          isReplaced || isOther ? [[MODEL_ROOM_ID, isReplaced ? ('replaced' as const) : head()]] : [],
        );
        return { epoch: room.epoch, isMoved: room.isMoved, heads };
      },
    },
  };

  const isMember = (userId: string): boolean => room.isMember && !room.removed.has(userId);
  const isReadable = (readerIds: readonly string[]): boolean => readerIds.some(isMember);
  const access = (readerIds: readonly string[]) => ({
    isPublic: true,
    memberIds: new Set(readerIds.filter(isMember)),
  });

  function change(message: Message): RoomChanged {
    heads.push(head());
    return { roomId: MODEL_ROOM_ID, epoch: room.epoch, head: head(), messages: [message] };
  }

  async function respond<Found>(found: Found): Promise<Found> {
    room.reads += 1;
    await room.hold();
    return found;
  }

  const byRev = (found: Message[]) => found.sort((a, b) => a.rev - b.rev);
  for (let count = 0; count < stored; count += 1) room.add();
  return room;
}
