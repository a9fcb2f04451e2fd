import { inputRoomNotFound, RoomFullError } from './errors.js';
import { type PublishChange, type RoomChanged, withErrorLogging } from './events.js';
import { bytesToUuid, newId } from './id.js';
import type { MembershipStore, Memberships } from './memberships.js';
import type { ListRange, Page } from './page.js';
import type { Log, RateLimiter } from './ports.js';
import { nameIssues } from './text/names.js';
import { assertValid, TEXT_RULES } from './text/text.js';
import type { User, Viewer } from './user.js';

/** `PUBLIC`: every user can find and join the room. `PRIVATE`: only members can see it. */
export const ROOM_KINDS = ['PUBLIC', 'PRIVATE'] as const;
export type RoomKind = (typeof ROOM_KINDS)[number];

export interface Room {
  readonly id: string;
  readonly kind: RoomKind;
  readonly name: string | null;
  readonly topic: string | null;
  readonly createdAt: Date;
  readonly lastActivityAt: Date;
  /** The time by which lists are sorted: that of the latest activity, or up to two seconds older. */
  readonly listedAt: Date;
  readonly memberCount: number;
}

export interface RoomStore extends MembershipStore {
  /** Stores a room and the membership of its creator. */
  create(room: {
    id: string;
    kind: RoomKind;
    name: string;
    topic: string | null;
    creatorId: string;
  }): Promise<Room>;
  /** Stores a public room without members, or renames it if it exists. */
  ensurePublic(room: { id: string; name: string }): Promise<void>;
  /**
   * Null if the room does not exist for the user. `change` is null if they were a member before.
   *
   * @throws RoomFullError if the room takes no more members.
   */
  join(input: { roomId: string; userId: string; messageId: string }): Promise<{
    room: Room;
    change: RoomChanged | null;
  } | null>;
  /**
   * Ends a membership on behalf of the member or of another user, the actor; of nobody if the account has ended. Null if the
   * user was not a member. Does not check whether the actor may do this.
   */
  removeMember(input: {
    roomId: string;
    userId: string;
    actorId: string | null;
    messageId: string;
  }): Promise<RoomChanged | null>;
  /** The ids of some rooms of which the user is a member; none if there are no more. */
  findRoomIds(userId: string): Promise<string[]>;
  /** Does not check access. */
  findByIds(ids: readonly string[]): Promise<Room[]>;
  /** Returns those of the rooms that the user may see, and whether they are a member. */
  findVisible(ids: readonly string[], userId: string): Promise<{ room: Room; isMember: boolean }[]>;
  listPublic(range: ListRange): Promise<Page<Room>>;
  listJoined(userId: string, range: ListRange): Promise<Page<Room>>;
}

/** The row id of the lobby. It is fixed, so that its global id (`Rlobby0000000000000000A`) can be documented. */
export const LOBBY_ID = bytesToUuid(Buffer.from('lobby0000000000000000A', 'base64url'));

export interface RoomServices {
  readonly rooms: RoomStore;
  readonly memberships: Memberships;
  readonly limits: RateLimiter;
  readonly publish: PublishChange;
  readonly log: Log;
}

export function createRooms({ rooms, memberships, limits, publish, log }: RoomServices) {
  const publishSafely = withErrorLogging(publish, log);

  /** @throws NotFoundError if the room does not exist or is hidden from the user; RoomFullError */
  async function join(roomId: string | null, userId: string): Promise<Room> {
    const result = roomId && (await rooms.join({ roomId, userId, messageId: newId() }));
    if (!result) throw inputRoomNotFound();
    if (result.change) publishSafely(result.change);
    memberships.remember(roomId, userId);
    return result.room;
  }

  return {
    /**
     * Creates a room whose first member is the viewer. It has no messages: creating a room does not record a join.
     *
     * @throws ValidationError, RateLimitedError
     */
    async create(
      viewer: Viewer,
      input: { name: string; topic?: string | null | undefined; kind: RoomKind },
    ): Promise<Room> {
      const name = input.name.trim();
      const topic = input.topic?.trim() || null;
      assertValid(
        nameIssues('name', name, TEXT_RULES.roomName),
        nameIssues('topic', topic ?? '', TEXT_RULES.roomTopic),
      );
      await limits.consume('createRoom', viewer.userId);
      const room = await rooms.create({
        id: newId(),
        kind: input.kind,
        name,
        topic,
        creatorId: viewer.userId,
      });
      memberships.remember(room.id, viewer.userId);
      return room;
    },

    /**
     * Joins the viewer to a room and records it as a `MEMBER_JOINED` message. Idempotent.
     *
     * @throws NotFoundError, RateLimitedError, RoomFullError
     */
    async join(viewer: Viewer, roomId: string | null): Promise<Room> {
      await limits.consume('joinRoom', viewer.userId);
      return join(roomId, viewer.userId);
    },

    /** Creates the lobby, or renames it if it exists. Several instances may do this at once. */
    async ensureLobby(name: string): Promise<void> {
      await rooms.ensurePublic({ id: LOBBY_ID, name });
    },

    /** Joins a new user to the lobby, unless it is full: a sign-up does not depend on it. */
    async joinLobby(user: User): Promise<void> {
      try {
        await join(LOBBY_ID, user.id);
      } catch (error) {
        if (!(error instanceof RoomFullError)) throw error;
        log.warn({}, 'The lobby is full: new users do not join it');
      }
    },

    /** Public rooms by their latest activity, newest first. */
    listPublic: (range: ListRange) => rooms.listPublic(range),

    /** The rooms that a user has joined, by their latest activity, newest first. */
    listJoined: (userId: string, range: ListRange) => rooms.listJoined(userId, range),
  };
}

export type Rooms = ReturnType<typeof createRooms>;
