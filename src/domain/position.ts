/** A room's latest `seq` and `rev`: `seq` counts its messages, `rev` its durable changes. Both start at 0. */
export interface Head {
  readonly seq: number;
  readonly rev: number;
}

/** The point that a reader has reached. `rev` is null for readers of added messages, which receive no changes of older ones. */
export interface Position {
  readonly seq: number;
  readonly rev: number | null;
}

export function isSamePosition(one: Position, other: Position): boolean {
  return one.seq === other.seq && one.rev === other.rev;
}

/** Whether the first position comes before the second. Both must be of readers of the same kind. */
export function isBefore(one: Position, other: Position): boolean {
  return one.rev === null || other.rev === null ? one.seq < other.seq : one.rev < other.rev;
}
