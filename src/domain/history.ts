/** Which history the database holds, as far as this instance knows. */
export interface History {
  /** A random id, changed where a backup was restored. The tick of the feeds keeps it up to date. */
  epoch: string;
}

/** The epoch of the database: which history of all rooms it holds. */
export interface EpochStore {
  /** Makes a new one where the data stands on another server or timeline than it was made on. */
  check(): Promise<void>;
  /** Makes a new one, unless another than `known` was made meanwhile. */
  renew(known: string): Promise<void>;
}
