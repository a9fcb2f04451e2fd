/** The accounts that have ended while tokens of theirs may still be valid. */
export interface EndedAccounts {
  has(userId: string): boolean;
  add(userIds: Iterable<string>): void;
}

export function createEndedAccounts(): EndedAccounts {
  const ended = new Set<string>();
  return {
    has: (userId) => ended.has(userId),
    add(userIds) {
      for (const userId of userIds) ended.add(userId);
    },
  };
}
