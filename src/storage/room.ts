import { and, asc, desc, eq, exists, inArray, or, type SQL, sql } from 'drizzle-orm';
import type { RoomCursor } from '../domain/cursor.js';
import { RoomFullError } from '../domain/errors.js';
import type { RoomChanged } from '../domain/events.js';
import type { ListRange, Page } from '../domain/page.js';
import type { Room, RoomStore } from '../domain/room.js';
import { newRoomColumns, roomColumns } from './columns.js';
import { JOIN_AUTHOR, MESSAGE_COLUMNS, type MessageRow, messageOf } from './message/row.js';
import type { Database, Pool } from './pool.js';
import { type CallPolicies, createStore } from './store.js';
import { members, rooms } from './tables.js';

const POLICIES: CallPolicies<RoomStore> = {
  // A retry would find the room of the first attempt and fail, because its id is taken.
  create: { retry: 'at-most-once', turn: 'write', userOf: ({ creatorId }) => creatorId },
  ensurePublic: { retry: 'idempotent', turn: 'write' },
  // A retry finds the membership of the first attempt. The feeds then find the message at their next comparison of
  // heads.
  join: { retry: 'idempotent', turn: 'write', userOf: ({ userId }) => userId },
  // A retry would find no membership to end.
  removeMember: { retry: 'at-most-once', turn: 'write', userOf: ({ actorId }) => actorId ?? undefined },
  findMembership: { retry: 'idempotent', turn: 'page', userOf: (_roomId, userId) => userId },
  findRoomIds: { retry: 'idempotent', turn: 'page', userOf: (userId) => userId },
  findByIds: { retry: 'idempotent', turn: 'page' },
  findVisible: { retry: 'idempotent', turn: 'page', userOf: (_ids, userId) => userId },
  listPublic: { retry: 'idempotent', turn: 'page' },
  listJoined: { retry: 'idempotent', turn: 'page', userOf: (userId) => userId },
};

export function createRoomStore(pool: Pool): RoomStore {
  /**
   * Lists rooms by activity, newest first. Rooms of the same millisecond are ordered by id, so every cursor is exact.
   */
  async function list(
    db: Database,
    scope: SQL,
    { from, size, after, before }: ListRange,
  ): Promise<Page<Room>> {
    const place = ({ lastActivityAt, roomId }: RoomCursor) =>
      sql`(${new Date(lastActivityAt).toISOString()}::timestamptz, ${roomId}::uuid)`;
    const key = sql`(${rooms.lastActivityAt}, ${rooms.id})`;
    const within = and(
      scope,
      after ? sql`${key} < ${place(after)}` : undefined,
      before ? sql`${key} > ${place(before)}` : undefined,
    );
    const direction = from === 'start' ? desc : asc;
    const found = await db
      .select(roomColumns)
      .from(rooms)
      .where(within)
      .orderBy(direction(rooms.lastActivityAt), direction(rooms.id))
      .limit(size);
    if (from === 'end') found.reverse();

    // Looks up what lies beyond each end, because the arguments answer that for one direction at most.
    const edge = (room: Room) => place({ lastActivityAt: room.listedAt.getTime(), roomId: room.id });
    const [first, last] = [found[0], found.at(-1)];
    const some = (beyond: SQL) => exists(db.select().from(rooms).where(and(scope, beyond)));
    const [previous, next] =
      first && last
        ? [some(sql`${key} > ${edge(first)}`), some(sql`${key} < ${edge(last)}`)]
        : from === 'start'
          ? [
              after ? some(sql`${key} >= ${place(after)}`) : sql`false`,
              some(after ? sql`${key} < ${place(after)}` : sql`true`),
            ]
          : [
              some(before ? sql`${key} > ${place(before)}` : sql`true`),
              before ? some(sql`${key} <= ${place(before)}`) : sql`false`,
            ];
    const [beyond] = await db.execute<{ previous: boolean; next: boolean }>(
      sql`select ${previous} as previous, ${next} as next`,
    );
    return {
      items: found,
      hasNextPage: beyond?.next ?? false,
      hasPreviousPage: beyond?.previous ?? false,
    };
  }

  return createStore<RoomStore>(pool, POLICIES, (db) => ({
    async create({ creatorId, ...room }) {
      // One statement instead of a transaction: if Postgres goes away during a transaction, postgres.js (3.4.9)
      // writes `rollback` to a closed socket, outside of any promise, which ends the process.
      const made = db.$with('made').as(
        db
          .insert(rooms)
          .values({ ...room, memberCount: 1 })
          .returning(newRoomColumns),
      );
      const joined = db
        .$with('joined')
        .as(
          db
            .insert(members)
            .values({ roomId: room.id, userId: creatorId })
            .returning({ roomId: members.roomId }),
        );
      const [created] = await db.with(made, joined).select().from(made);
      if (!created) throw new Error('The room was not stored.');
      return { ...created, listedAt: created.lastActivityAt };
    },

    async ensurePublic({ id, name }) {
      await db
        .insert(rooms)
        .values({ id, kind: 'PUBLIC', name })
        .onConflictDoUpdate({
          target: rooms.id,
          set: { name },
          setWhere: sql`${rooms.name} is distinct from ${name}`,
        });
    },

    async join({ roomId, userId, messageId }) {
      const [row] = await db.execute<JoinRow>(
        sql`select outcome, epoch, ${sql.raw(MESSAGE_COLUMNS)}
          from join_room(${roomId}::uuid, ${userId}::uuid, ${messageId}::uuid)
          ${sql.raw(JOIN_AUTHOR)}`,
      );
      if (!row) throw new RoomFullError();
      if (row.outcome === 'not-found') return null;
      const [room] = await db.select(roomColumns).from(rooms).where(eq(rooms.id, roomId));
      if (!room) return null;
      return { room, change: row.outcome === 'joined' ? changeOf(row) : null };
    },

    async removeMember({ roomId, userId, actorId, messageId }) {
      const [row] = await db.execute<WriteRow>(
        sql`select epoch, ${sql.raw(MESSAGE_COLUMNS)}
          from remove_member(${roomId}::uuid, ${userId}::uuid, ${actorId}::uuid, ${messageId}::uuid)
          ${sql.raw(JOIN_AUTHOR)}`,
      );
      return row ? changeOf(row) : null;
    },

    async findMembership(roomId, userId) {
      const [row] = await db
        .select({ kind: rooms.kind, memberId: members.userId })
        .from(rooms)
        .leftJoin(members, and(eq(members.roomId, rooms.id), eq(members.userId, userId)))
        .where(eq(rooms.id, roomId));
      if (row?.memberId) return 'member';
      return row?.kind === 'PUBLIC' ? 'not-a-member' : 'not-found';
    },

    async findRoomIds(userId) {
      const found = await db
        .select({ id: members.roomId })
        .from(members)
        .where(eq(members.userId, userId))
        .limit(1000);
      return found.map(({ id }) => id);
    },

    findByIds: (ids) =>
      db
        .select(roomColumns)
        .from(rooms)
        .where(inArray(rooms.id, [...ids])),

    async findVisible(ids, userId) {
      const rows = await db
        .select({ room: roomColumns, memberId: members.userId })
        .from(rooms)
        .leftJoin(members, and(eq(members.roomId, rooms.id), eq(members.userId, userId)))
        .where(
          and(inArray(rooms.id, [...ids]), or(eq(rooms.kind, 'PUBLIC'), sql`${members.userId} is not null`)),
        );
      return rows.map(({ room, memberId }) => ({ room, isMember: memberId !== null }));
    },

    listPublic: (range) => list(db, eq(rooms.kind, 'PUBLIC'), range),

    listJoined: (userId, range) =>
      list(
        db,
        sql`exists (select from ${members} where ${members.roomId} = ${rooms.id} and ${members.userId} = ${userId})`,
        range,
      ),
  }));
}

type WriteRow = MessageRow & {
  epoch: string;
};

type JoinRow = WriteRow & {
  outcome: 'joined' | 'member' | 'not-found';
};

/** A changed membership is a message, the newest of its room. */
function changeOf(row: WriteRow): RoomChanged {
  const message = messageOf(row);
  const { roomId, seq, rev } = message;
  return { roomId, epoch: row.epoch, head: { seq, rev }, messages: [message] };
}
