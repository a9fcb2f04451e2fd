import { and, asc, desc, eq, inArray, or, type SQL, sql } from 'drizzle-orm';
import type { RoomCursor } from '../domain/cursor.js';
import type { RoomChanged } from '../domain/events.js';
import type { ListRange, Page } from '../domain/page.js';
import type { RoomStore } from '../domain/ports.js';
import type { Room } from '../domain/room.js';
import type { Database } from './database.js';
import { withDomainErrors } from './errors.js';
import { type MessageRow, messageOf } from './message-row.js';
import { retried } from './retry.js';
import { members, rooms } from './tables.js';

const columns = {
  id: rooms.id,
  kind: rooms.kind,
  name: rooms.name,
  topic: rooms.topic,
  createdAt: rooms.createdAt,
  lastActivityAt: rooms.lastActivityAt,
  memberCount: rooms.memberCount,
};

export function createRoomStore(db: Database): RoomStore {
  /** By activity, newest first; rooms of the same millisecond by id, so that no cursor falls between two of them. */
  async function list(scope: SQL, { from, size, after, before }: ListRange): Promise<Page<Room>> {
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
      .select(columns)
      .from(rooms)
      .where(within)
      .orderBy(direction(rooms.lastActivityAt), direction(rooms.id))
      .limit(size);
    if (from === 'end') found.reverse();

    // What lies beyond each end is looked up, not guessed from the arguments: exact in both directions.
    const edge = (room: Room) => place({ lastActivityAt: room.lastActivityAt.getTime(), roomId: room.id });
    const [first, last] = [found[0], found.at(-1)];
    const exists = async (beyond: SQL) =>
      (await db.select({ id: rooms.id }).from(rooms).where(and(scope, beyond)).limit(1)).length > 0;
    const [hasPreviousPage, hasNextPage] = await Promise.all(
      first && last
        ? [exists(sql`${key} > ${edge(first)}`), exists(sql`${key} < ${edge(last)}`)]
        : from === 'start'
          ? [
              after ? exists(sql`${key} >= ${place(after)}`) : false,
              exists(after ? sql`${key} < ${place(after)}` : sql`true`),
            ]
          : [
              exists(before ? sql`${key} > ${place(before)}` : sql`true`),
              before ? exists(sql`${key} <= ${place(before)}`) : false,
            ],
    );
    return { items: found, hasNextPage, hasPreviousPage };
  }

  return withDomainErrors<RoomStore>({
    create: ({ creatorId, ...room }) =>
      db.transaction(async (tx) => {
        const [created] = await tx
          .insert(rooms)
          .values({ ...room, memberCount: 1 })
          .returning(columns);
        if (!created) throw new Error('The room was not stored.');
        await tx.insert(members).values({ roomId: created.id, userId: creatorId });
        return created;
      }),

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

    join: ({ roomId, userId, messageId }) =>
      retried(async () => {
        const [row] = await db.execute<JoinRow>(
          sql`select outcome, epoch, (message).*
            from join_room(${roomId}::uuid, ${userId}::uuid, ${messageId}::uuid)`,
        );
        if (!row || row.outcome === 'not-found') return null;
        const [room] = await db.select(columns).from(rooms).where(eq(rooms.id, roomId));
        if (!room) return null;
        return { room, change: row.outcome === 'joined' ? changeOf(row) : null };
      }),

    async removeMember({ roomId, userId, actorId, messageId }) {
      const [row] = await db.execute<WriteRow>(
        sql`select epoch, (message).*
          from remove_member(${roomId}::uuid, ${userId}::uuid, ${actorId}::uuid, ${messageId}::uuid)`,
      );
      return row ? changeOf(row) : null;
    },

    async findVisible(ids, userId) {
      const rows = await db
        .select({ room: columns, memberId: members.userId })
        .from(rooms)
        .leftJoin(members, and(eq(members.roomId, rooms.id), eq(members.userId, userId)))
        .where(
          and(inArray(rooms.id, [...ids]), or(eq(rooms.kind, 'PUBLIC'), sql`${members.userId} is not null`)),
        );
      return rows.map(({ room, memberId }) => ({ room, isMember: memberId !== null }));
    },

    listPublic: (range) => list(eq(rooms.kind, 'PUBLIC'), range),

    listJoined: (userId, range) =>
      list(
        sql`exists (select from ${members} where ${members.roomId} = ${rooms.id} and ${members.userId} = ${userId})`,
        range,
      ),
  });
}

interface WriteRow extends MessageRow {
  epoch: string;
}

interface JoinRow extends WriteRow {
  outcome: 'joined' | 'member' | 'not-found';
}

/** A membership that changed is a message, the latest of its room. */
function changeOf(row: WriteRow): RoomChanged {
  const message = messageOf(row);
  const { roomId, seq, rev } = message;
  return { roomId, epoch: row.epoch, head: { seq, rev }, messages: [message] };
}
