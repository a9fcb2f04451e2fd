import { type Deliver, safeDelivery } from './deliver.js';
import { inputRoomNotFound } from './errors.js';
import type { RoomChanged } from './events.js';
import { bytesToUuid, newId } from './id.js';
import type { ListRange, Page } from './page.js';
import type { Log, RateLimiter } from './ports.js';
import { assertValid, textIssues } from './text.js';
import type { User, Viewer } from './user.js';

/** `PUBLIC`: anyone signed in may find and join it. `PRIVATE`: only members see it. */
export const ROOM_KINDS = ['PUBLIC', 'PRIVATE'] as const;
export type RoomKind = (typeof ROOM_KINDS)[number];

export interface Room {
  readonly id: string;
  readonly kind: RoomKind;
  readonly name: string | null;
  readonly topic: string | null;
  readonly createdAt: Date;
  readonly lastActivityAt: Date;
  readonly memberCount: number;
}

export interface RoomStore {
  /** Stores a room and its creator's membership. */
  create(room: {
    id: string;
    kind: RoomKind;
    name: string;
    topic: string | null;
    creatorId: string;
  }): Promise<Room>;
  /** Stores a public room without members, or renames it where it is there. */
  ensurePublic(room: { id: string; name: string }): Promise<void>;
  /** Null where there is no such room for the user; `change` where they were no member before. */
  join(input: { roomId: string; userId: string; messageId: string }): Promise<{
    room: Room;
    change: RoomChanged | null;
  } | null>;
  /**
   * Ends a membership, by the person themselves or by another. Null where they were no member.
   * Who may remove whom is not decided here.
   */
  removeMember(input: {
    roomId: string;
    userId: string;
    actorId: string;
    messageId: string;
  }): Promise<RoomChanged | null>;
  /** Checks nobody's access. */
  findByIds(ids: readonly string[]): Promise<Room[]>;
  /** Those of the rooms that the user may see, with whether they are a member. */
  findVisible(ids: readonly string[], userId: string): Promise<{ room: Room; isMember: boolean }[]>;
  listPublic(range: ListRange): Promise<Page<Room>>;
  listJoined(userId: string, range: ListRange): Promise<Page<Room>>;
}

/** The lobby's row id: fixed, so that its global id (`Rlobby0000000000000000A`) can be documented. */
export const LOBBY_ID = bytesToUuid(Buffer.from('lobby0000000000000000A', 'base64url'));

const NAME = { min: 1, max: 80, form: 'line' } as const;
const TOPIC = { min: 0, max: 280, form: 'line' } as const;

export interface RoomServices {
  readonly rooms: RoomStore;
  readonly limits: RateLimiter;
  /** Delivers what a join wrote. */
  readonly deliver: Deliver;
  readonly log: Log;
}

export function createRooms({ rooms, limits, deliver, log }: RoomServices) {
  const tell = safeDelivery(deliver, log);

  /** @throws NotFoundError where the room is not there, or hidden from the user. */
  async function join(roomId: string | null, userId: string): Promise<Room> {
    const result = roomId && (await rooms.join({ roomId, userId, messageId: newId() }));
    if (!result) throw inputRoomNotFound();
    if (result.change) tell(result.change);
    return result.room;
  }

  return {
    /**
     * Makes a room whose first member is the viewer. It starts empty: creating is not joining.
     *
     * @throws ValidationError, RateLimitedError
     */
    async create(
      viewer: Viewer,
      input: { name: string; topic?: string | null | undefined; kind: RoomKind },
    ): Promise<Room> {
      const name = input.name.trim();
      const topic = input.topic?.trim() || null;
      assertValid(textIssues('name', name, NAME), textIssues('topic', topic ?? '', TOPIC));
      await limits.consume('createRoom', viewer.userId);
      return rooms.create({ id: newId(), kind: input.kind, name, topic, creatorId: viewer.userId });
    },

    /**
     * Joining twice is joining once: the first time writes a `MEMBER_JOINED` message.
     *
     * @throws NotFoundError, RateLimitedError
     */
    async join(viewer: Viewer, roomId: string | null): Promise<Room> {
      await limits.consume('joinRoom', viewer.userId);
      return join(roomId, viewer.userId);
    },

    /** Makes the lobby, or gives it the name of the settings; safe from many instances at once. */
    async ensureLobby(name: string): Promise<void> {
      await rooms.ensurePublic({ id: LOBBY_ID, name });
    },

    async joinLobby(user: User): Promise<void> {
      await join(LOBBY_ID, user.id);
    },

    /** Public rooms, newest activity first. */
    listPublic: (range: ListRange) => rooms.listPublic(range),

    /** The rooms that a user has joined, newest activity first. */
    listJoined: (userId: string, range: ListRange) => rooms.listJoined(userId, range),
  };
}

export type Rooms = ReturnType<typeof createRooms>;
