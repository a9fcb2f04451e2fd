import type { Log } from '../domain/ports.js';

/** Unsent bytes of all connections together, above which some are cut off. */
export const UNSENT_BYTES = 256 * 1024 * 1024;

/** A connection with bytes that its client has not taken yet. */
export interface Holder {
  readonly unsentBytes: number;
  /** How long the client has taken none of them, in ms. */
  readonly stalledMs: number;
  cutOff(): void;
}

export interface ByteBudget {
  /** Has these counted too; asked for again each time. Connections that are being closed are not among them. */
  count(holders: () => Iterable<Holder>): void;
  /**
   * Cuts connections off until the others hold no more than the budget: first those that have held the most for the
   * longest without taking any of it. To be called about once a second.
   */
  enforce(): void;
}

/** A bound on what slow clients cost in all, however many they are. */
export function createByteBudget(bytes: number, log: Log): ByteBudget {
  const sources: (() => Iterable<Holder>)[] = [];
  return {
    count: (holders) => void sources.push(holders),
    enforce() {
      const holding = sources.flatMap((source) => [...source()]).filter(({ unsentBytes }) => unsentBytes > 0);
      const unsent = holding.reduce((sum, { unsentBytes }) => sum + unsentBytes, 0);
      let over = unsent - bytes;
      if (over <= 0) return;
      holding.sort((a, b) => heldUp(b) - heldUp(a) || b.unsentBytes - a.unsentBytes);
      let cut = 0;
      for (const holder of holding) {
        if (over <= 0) break;
        holder.cutOff();
        over -= holder.unsentBytes;
        cut += 1;
      }
      log.warn({ unsent, bytes, cut }, 'Slow clients hold more than all may: some are cut off');
    },
  };
}

function heldUp({ unsentBytes, stalledMs }: Holder): number {
  return unsentBytes * stalledMs;
}
