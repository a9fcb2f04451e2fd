import type { Log } from '../domain/ports.js';
import type { Holder, ShareLimits } from '../lib/share.js';

/** A connection whose unsent bytes count toward the budget. */
export interface BudgetedConnection {
  /** Whose connection it is; null if that is not known yet. */
  readonly holder: Holder | null;
  readonly unsentBytes: number;
  /** How long the client has read none of them, in ms. */
  readonly stalledMs: number;
  disconnect(): void;
}

export interface ByteBudget {
  /** Counts the connections that `connections` returns at each check. It must leave out those that are being closed. */
  track(connections: () => Iterable<BudgetedConnection>): void;
  /**
   * Disconnects clients until the others are within the budget, and each user and address within their share of it: those
   * with the largest product of unsent bytes and stalled time first. To be called about once a second.
   */
  enforce(): void;
  /** Unsent bytes of all connections. */
  unsentBytes(): number;
}

/**
 * Bounds the memory that slow clients use, in total, by user and by address.
 *
 * @param limits in bytes.
 * @param ignoresAddresses whether addresses say nothing at present about those who are signed in.
 */
export function createByteBudget(
  limits: ShareLimits,
  log: Log,
  ignoresAddresses: () => boolean = () => false,
): ByteBudget {
  const sources: (() => Iterable<BudgetedConnection>)[] = [];

  /** Disconnects the slowest of the connections until the others are within the limit. Returns those. */
  function enforceOn(behind: readonly BudgetedConnection[], bytes: number): readonly BudgetedConnection[] {
    const unsent = sum(behind);
    let excess = unsent - bytes;
    if (excess <= 0) return behind;
    const slowest = [...behind].sort((a, b) => stallCost(b) - stallCost(a) || b.unsentBytes - a.unsentBytes);
    let disconnected = 0;
    for (const connection of slowest) {
      if (excess <= 0) break;
      connection.disconnect();
      excess -= connection.unsentBytes;
      disconnected += 1;
    }
    log.warn(
      { unsent, bytes, disconnected },
      'Unsent bytes exceed the budget: disconnected the slowest clients',
    );
    return slowest.slice(disconnected);
  }

  return {
    track: (connections) => void sources.push(connections),
    unsentBytes: () => sum(sources.flatMap((source) => [...source()])),
    enforce() {
      let behind: readonly BudgetedConnection[] = sources
        .flatMap((source) => [...source()])
        .filter(({ unsentBytes }) => unsentBytes > 0);
      for (const scope of ['user', 'anonymous', 'address'] as const) {
        if (limits[scope] === Infinity || (scope === 'address' && ignoresAddresses())) continue;
        const groups = groupBy(behind, ({ holder }) => holder && keyOf(holder, scope));
        behind = [...groups].flatMap(([key, group]) =>
          key === null ? group : enforceOn(group, limits[scope]),
        );
      }
      enforceOn(behind, limits.instance);
    },
  };
}

function sum(connections: readonly BudgetedConnection[]): number {
  return connections.reduce((total, { unsentBytes }) => total + unsentBytes, 0);
}

function stallCost({ unsentBytes, stalledMs }: BudgetedConnection): number {
  return unsentBytes * stalledMs;
}

/** What the scope groups a holder by; null if the scope does not count it. */
function keyOf({ userId, address }: Holder, scope: 'user' | 'address' | 'anonymous'): string | null {
  if (scope === 'user') return userId;
  return (userId === null) === (scope === 'anonymous') ? address : null;
}

function groupBy<Item, Key>(items: Iterable<Item>, keyOfItem: (item: Item) => Key): Map<Key, Item[]> {
  const groups = new Map<Key, Item[]>();
  for (const item of items) {
    const key = keyOfItem(item);
    const group = groups.get(key);
    if (group) group.push(item);
    else groups.set(key, [item]);
  }
  return groups;
}
