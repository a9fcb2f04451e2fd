/** Where a room stands: `seq` counts its messages, `rev` every durable change of it. Both start at 0. */
export interface Head {
  readonly seq: number;
  readonly rev: number;
}

/** How far a reader is. `rev` null: only messages count for them, not what became of older ones. */
export interface Position {
  readonly seq: number;
  readonly rev: number | null;
}
