import { and, eq, inArray, sql } from 'drizzle-orm';
import { UnauthenticatedError } from '../domain/errors.js';
import { usernameKey, usernameSkeleton } from '../domain/text/username.js';
import type { User, UserStore } from '../domain/user.js';
import { userColumns } from './columns.js';
import type { Database, Pool } from './pool.js';
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
    async create(user) {
      const skeleton = usernameSkeleton(user.username);
      // Each statement sees what was committed before the lock was taken.
      return db.transaction(
        async (transaction) => {
          await transaction.execute(sql`select pg_advisory_xact_lock(hashtextextended(${skeleton}, 0))`);
          if (!IS_ASCII.test(user.username) && (await looksTaken(transaction, skeleton))) return null;
          const [created] = await transaction
            .insert(users)
            .values({ ...user, usernameKey: usernameKey(user.username), usernameSkeleton: skeleton })
            .onConflictDoNothing({ target: users.usernameKey })
            .returning(userColumns);
          return created ?? null;
        },
        { isolationLevel: 'read committed' },
      );
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
      const [updated] = isEmpty(change)
        ? await db.select(userColumns).from(users).where(eq(users.id, id))
        : await db.update(users).set(change).where(eq(users.id, id)).returning(userColumns);
      // The account was deleted while its token is still valid.
      if (!updated) throw new UnauthenticatedError('INVALID');
      return updated;
    },
  }));
}

const IS_ASCII = /^[\0-\x7f]*$/;

async function looksTaken(db: Pick<Database, 'select'>, skeleton: string): Promise<boolean> {
  const found = await db
    .select({ id: users.id })
    .from(users)
    .where(eq(users.usernameSkeleton, skeleton))
    .limit(1);
  return found.length > 0;
}

function isEmpty(change: Partial<User>): boolean {
  return Object.keys(change).length === 0;
}
