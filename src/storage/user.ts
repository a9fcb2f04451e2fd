import { and, eq, inArray, sql } from 'drizzle-orm';
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
        .where(eq(users.usernameKey, usernameKey(username)));
      return row ?? null;
    },
    findByIds: (ids) =>
      db
        .select(userColumns)
        .from(users)
        .where(inArray(users.id, [...ids])),
    async replacePasswordHash(id, from, to) {
      await db
        .update(users)
        .set({ passwordHash: to })
        .where(and(eq(users.id, id), eq(users.passwordHash, from)));
    },
    async update(id, change) {
      const returned = {
        user: userColumns,
        changedAt: sql<Date>`clock_timestamp()`.mapWith(users.createdAt),
      };
      const [updated] = isEmpty(change)
        ? await db.select(returned).from(users).where(eq(users.id, id))
        : await db.update(users).set(change).where(eq(users.id, id)).returning(returned);
      // The account was deleted while its token is still valid.
      if (!updated) throw new UnauthenticatedError('INVALID');
      return updated;
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
