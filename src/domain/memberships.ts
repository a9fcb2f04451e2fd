import type { Head } from './position.js';

/** `not-found` also hides a private room from users who are not in it. */
export type Membership = 'member' | 'not-a-member' | 'not-found';

/** What a user may do in a room, and its head, as of one snapshot. */
export interface RoomAccess {
  readonly head: Head;
  readonly membership: Membership;
}

/** The membership of one of the readers of a snapshot. */
export function membershipIn(
  { isPublic, memberIds }: { readonly isPublic: boolean; readonly memberIds: ReadonlySet<string> },
  userId: string,
): Membership {
  if (memberIds.has(userId)) return 'member';
  return isPublic ? 'not-a-member' : 'not-found';
}

export interface MembershipStore {
  findMembership(roomId: string, userId: string): Promise<Membership>;
}

/** Memberships that are remembered, about 10 MB. Beyond it, the oldest is looked up again. */
const MAX_REMEMBERED = 50_000;

/** Knows who is a member of which room, so that others need not wait in the room's queue to be refused. */
export interface Memberships {
  /**
   * A member who is remembered costs nothing. For others, the database is asked: by one call at a time per user and room,
   * however many wait.
   *
   * @throws ServiceUnavailableError
   */
  of(roomId: string, userId: string): Promise<Membership>;
  /** To be called when a membership is known to have begun, or to have ended. */
  remember(roomId: string, userId: string): void;
  forget(roomId: string, userId: string): void;
}

/** The look-up in progress, and the one after it, which those share who have asked meanwhile. */
interface Lookup {
  readonly running: Promise<Membership>;
  next: Promise<Membership> | null;
}

/**
 * Remembers memberships. One that has ended elsewhere is remembered for too long, so this decides nothing for a member: the
 * database does, under the room's lock.
 */
export function createMemberships(rooms: MembershipStore): Memberships {
  const remembered = new Set<string>();
  const lookups = new Map<string, Lookup>();
  const keyOf = (roomId: string, userId: string): string => roomId + userId;

  function remember(roomId: string, userId: string): void {
    remembered.add(keyOf(roomId, userId));
    for (const oldest of remembered) {
      if (remembered.size <= MAX_REMEMBERED) break;
      remembered.delete(oldest);
    }
  }

  function lookUp(roomId: string, userId: string): Promise<Membership> {
    const key = keyOf(roomId, userId);
    const run = async (): Promise<Membership> => {
      try {
        const membership = await rooms.findMembership(roomId, userId);
        if (membership === 'member') remember(roomId, userId);
        return membership;
      } finally {
        lookups.delete(key);
      }
    };
    const lookup = { running: run(), next: null };
    lookups.set(key, lookup);
    return lookup.running;
  }

  return {
    remember,
    forget: (roomId, userId) => void remembered.delete(keyOf(roomId, userId)),
    async of(roomId, userId) {
      const key = keyOf(roomId, userId);
      if (remembered.has(key)) return 'member';
      const current = lookups.get(key);
      if (!current) return lookUp(roomId, userId);
      // The one in progress may not see what was committed before this call, unless it finds a member.
      const again = (): Membership | Promise<Membership> =>
        remembered.has(key) ? 'member' : lookUp(roomId, userId);
      current.next ??= current.running.then(again, again);
      return current.next;
    },
  };
}
