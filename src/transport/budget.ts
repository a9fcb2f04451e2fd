import type { Log } from '../domain/ports.js';

/** Unsent bytes of all connections together; above it, the slowest are disconnected. */
export const MAX_UNSENT_BYTES = 256 * 1024 * 1024;

/** A connection whose unsent bytes count toward the budget. */
export interface BudgetedConnection {
  readonly unsentBytes: number;
  /** How long the client has read none of them, in ms. */
  readonly stalledMs: number;
  disconnect(): void;
}

export interface ByteBudget {
  /** Counts the connections that `connections` returns at each check. It must leave out those that are being closed. */
  track(connections: () => Iterable<BudgetedConnection>): void;
  /**
   * Disconnects clients until the others are within the budget, those with the largest product of unsent bytes and stalled
   * time first. To be called about once a second.
   */
  enforce(): void;
}

/** Bounds the memory that slow clients use in total, however many they are. */
export function createByteBudget(bytes: number, log: Log): ByteBudget {
  const sources: (() => Iterable<BudgetedConnection>)[] = [];
  return {
    track: (connections) => void sources.push(connections),
    enforce() {
      const behind = sources.flatMap((source) => [...source()]).filter(({ unsentBytes }) => unsentBytes > 0);
      const unsent = behind.reduce((sum, { unsentBytes }) => sum + unsentBytes, 0);
      let excess = unsent - bytes;
      if (excess <= 0) return;
      behind.sort((a, b) => stallCost(b) - stallCost(a) || b.unsentBytes - a.unsentBytes);
      let disconnected = 0;
      for (const connection of behind) {
        if (excess <= 0) break;
        connection.disconnect();
        excess -= connection.unsentBytes;
        disconnected += 1;
      }
      log.warn(
        { unsent, bytes, disconnected },
        'Unsent bytes exceed the budget: disconnected the slowest clients',
      );
    },
  };
}

function stallCost({ unsentBytes, stalledMs }: BudgetedConnection): number {
  return unsentBytes * stalledMs;
}
