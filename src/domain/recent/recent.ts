import type { Log } from '../ports.js';
import type { UserStore } from '../user.js';
import { createActivityWriter } from './activity.js';
import type { ChangeLog, RecentChanges } from './changes.js';
import { createEndedAccounts, type EndedAccounts } from './ended-accounts.js';
import { createProfiles, type Profiles } from './profiles.js';

/** What an instance knows of what any instance has changed lately. */
export interface Recent {
  readonly profiles: Profiles;
  readonly endedAccounts: EndedAccounts;
  /** To be called with what each tick has found. */
  apply(recent: RecentChanges): void;
}

/** @param tokenTtlMs lifetime of access tokens: those of accounts that have ended before it have expired. */
export async function createRecent(
  stores: { readonly changes: ChangeLog; readonly users: Pick<UserStore, 'findEnded'> },
  tokenTtlMs: number,
  log: Log,
): Promise<Recent> {
  const profiles = createProfiles();
  const endedAccounts = createEndedAccounts();
  const activity = createActivityWriter(stores.changes, log);
  // Twice as long, since the clock of the database may differ.
  endedAccounts.add(await stores.users.findEnded(new Date(Date.now() - 2 * tokenTtlMs)));
  return {
    profiles,
    endedAccounts,
    apply(recent) {
      for (const profile of recent.profiles) profiles.remember(profile);
      endedAccounts.add(recent.endedUserIds);
      void activity.apply(recent);
    },
  };
}
