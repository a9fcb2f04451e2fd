/** The history that the database holds, as far as this instance knows. */
export interface History {
  /** A random id that changes when a backup was restored. The tick of the feeds keeps it up to date. */
  epoch: string;
}

/** The epoch as stored in the database. */
export interface EpochStore {
  /** Renews the epoch if the data is on another server, timeline or database than the one that the epoch was created on. */
  check(): Promise<void>;
  /** Renews the epoch, unless it is no longer `known`, because another instance has renewed it before. */
  renew(known: string): Promise<void>;
}
