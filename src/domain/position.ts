/** A room's latest `seq` and `rev`: `seq` counts its messages, `rev` its durable changes. Both start at 0. */
export interface Head {
  readonly seq: number;
  readonly rev: number;
}

/** How far a reader is. `rev` is null for readers of added messages, who do not receive changes of older ones. */
export interface Position {
  readonly seq: number;
  readonly rev: number | null;
}
