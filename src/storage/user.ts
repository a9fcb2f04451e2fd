import { eq, inArray } from 'drizzle-orm';
import { UnauthenticatedError } from '../domain/errors.js';
import type { UserStore } from '../domain/ports.js';
import { type User, usernameKey } from '../domain/user.js';
import type { Database } from './database.js';
import { withDomainErrors } from './errors.js';
import { users } from './tables.js';

const columns = {
  id: users.id,
  username: users.username,
  displayName: users.displayName,
  avatarUrl: users.avatarUrl,
  createdAt: users.createdAt,
};

export function createUserStore(db: Database): UserStore {
  return withDomainErrors<UserStore>({
    async create(user) {
      const [created] = await db
        .insert(users)
        .values({ ...user, usernameKey: usernameKey(user.username) })
        .onConflictDoNothing({ target: users.usernameKey })
        .returning(columns);
      return created ?? null;
    },
    async findByUsername(username) {
      const [row] = await db
        .select({ user: columns, passwordHash: users.passwordHash })
        .from(users)
        .where(eq(users.usernameKey, usernameKey(username)));
      return row ?? null;
    },
    findByIds: (ids) =>
      db
        .select(columns)
        .from(users)
        .where(inArray(users.id, [...ids])),
    async update(id, change) {
      const [updated] = isEmpty(change)
        ? await db.select(columns).from(users).where(eq(users.id, id))
        : await db.update(users).set(change).where(eq(users.id, id)).returning(columns);
      // Their token outlives their account.
      if (!updated) throw new UnauthenticatedError('INVALID');
      return updated;
    },
  });
}

function isEmpty(change: Partial<User>): boolean {
  return Object.keys(change).length === 0;
}
