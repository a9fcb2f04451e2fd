import { type Deliver, safeDelivery } from './deliver.js';
import { NotFoundError } from './errors.js';
import { bytesToUuid, newId } from './id.js';
import type { ListRange } from './page.js';
import type { Log, RateLimiter, RoomStore } from './ports.js';
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
    if (!result) throw new NotFoundError('roomId', 'There is no such room.');
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
