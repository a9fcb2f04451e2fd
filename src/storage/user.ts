import { and, eq, gt, inArray, isNull, sql } from 'drizzle-orm';
import { UnauthenticatedError } from '../domain/errors.js';
import { usernameKey, usernameSkeleton } from '../domain/text/username.js';
import type { User, UserStore } from '../domain/user.js';
import { userColumns } from './columns.js';
import type { Pool } from './pool.js';
import { type CallPolicies, createStore } from './store.js';
import { users } from './tables.js';

const POLICIES: CallPolicies<UserStore> = {
  // A retry would find the username taken by the first attempt.
  create: { retry: 'at-most-once', turn: 'write' },
  findByUsername: { retry: 'idempotent', turn: 'write' },
  findByIds: { retry: 'idempotent', turn: 'page' },
  replacePasswordHash: { retry: 'idempotent', turn: 'write', userOf: (id) => id },
  update: { retry: 'idempotent', turn: 'write', userOf: (id) => id },
  end: { retry: 'idempotent', turn: 'write' },
  findEnded: { retry: 'idempotent', turn: 'page' },
};

export function createUserStore(pool: Pool): UserStore {
  return createStore<UserStore>(pool, POLICIES, (db) => ({
    async create({ id, username, displayName, passwordHash }) {
      const [row] = await db.execute<UserRow>(sql`
        select id, username, display_name, avatar_url, created_at
        from create_user(${id}::uuid, ${username}, ${usernameKey(username)}, ${usernameSkeleton(username)},
          ${displayName}, ${passwordHash})`);
      return row ? userOf(row) : null;
    },
    async findByUsername(username) {
      const [row] = await db
        .select({ user: userColumns, passwordHash: users.passwordHash })
        .from(users)
        .where(and(eq(users.usernameKey, usernameKey(username)), isNull(users.deletedAt)));
      return row ?? null;
    },
    findByIds: (ids) =>
      db
        .select(userColumns)
        .from(users)
        .where(and(inArray(users.id, [...ids]), isNull(users.deletedAt))),
    async replacePasswordHash(id, from, to) {
      await db
        .update(users)
        .set({ passwordHash: to })
        .where(and(eq(users.id, id), eq(users.passwordHash, from)));
    },
    async update(id, change) {
      const isActive = and(eq(users.id, id), isNull(users.deletedAt));
      const returned = {
        user: userColumns,
        changedAt: sql<Date>`clock_timestamp()`.mapWith(users.createdAt),
      };
      const [updated] = isEmpty(change)
        ? await db.select(returned).from(users).where(isActive)
        : await db.update(users).set(change).where(isActive).returning(returned);
      // The account has ended while its token is still valid.
      if (!updated) throw new UnauthenticatedError('INVALID');
      return updated;
    },
    async end(username) {
      const [ended] = await db
        .update(users)
        // A repeated call ends nothing anew, and finds the user again.
        .set({ deletedAt: sql`coalesce(${users.deletedAt}, clock_timestamp())`, passwordHash: '' })
        .where(eq(users.usernameKey, usernameKey(username)))
        .returning({ id: users.id });
      return ended?.id ?? null;
    },
    async findEnded(since) {
      const ended = await db.select({ id: users.id }).from(users).where(gt(users.deletedAt, since));
      return ended.map(({ id }) => id);
    },
  }));
}

type UserRow = {
  id: string;
  username: string;
  display_name: string;
  avatar_url: string | null;
  created_at: string;
};

function userOf(row: UserRow): User {
  return {
    id: row.id,
    username: row.username,
    displayName: row.display_name,
    avatarUrl: row.avatar_url,
    createdAt: new Date(row.created_at),
  };
}

function isEmpty(change: Partial<User>): boolean {
  return Object.keys(change).length === 0;
}
