import type { Head } from '../position.js';
import type { ChangedProfile } from '../user.js';

/** A transaction of the database, as a number in text. Those that begin later have higher numbers. */
export type TransactionId = string;

/** Before all transactions. */
export const FIRST_TRANSACTION: TransactionId = '0';

/** Which transactions were committed at one moment, in the text form of Postgres. */
export type Snapshot = string;

/** Without any transaction: Postgres' own have numbers below 3. */
export const EMPTY_SNAPSHOT: Snapshot = '3:3:';

/** What was committed since a snapshot, as of a later one. */
export interface RecentChanges {
  readonly epoch: string;
  /** Whether the data is on another server or timeline than the one that the epoch was created on. */
  readonly isMoved: boolean;
  readonly snapshot: Snapshot;
  /** Nothing that is committed later has a lower number. */
  readonly oldestRunning: TransactionId;
  /** Another value means that the server was restarted or tables were replaced, so that all heads have to be compared. */
  readonly incarnation: string;
  /** The heads of the rooms that were written to. Possibly older ones than an instance has seen before. */
  readonly heads: ReadonlyMap<string, Head>;
  readonly profiles: readonly ChangedProfile[];
  /** The users whose accounts have ended. */
  readonly endedUserIds: readonly string[];
}

/** What the database remembers of the last minutes, however many rooms there are. */
export interface ChangeLog {
  readRecent(since: Snapshot): Promise<RecentChanges>;
  /**
   * Moves rooms that were written to since a transaction up in the lists, a few at a time, and forgets changes from before
   * another one. `appliedTo` is the transaction to start at the next time; null if rooms are left, or if another instance
   * does the same.
   */
  applyActivity(range: {
    readonly since: TransactionId;
    readonly forget: TransactionId;
  }): Promise<{ readonly appliedTo: TransactionId | null; readonly updated: number }>;
}
