/** A ring as its budget sees it. */
export interface BudgetedRing {
  /** Evicts the oldest step, unless it is the only one. @returns whether there was one to evict. */
  evictOldest(): boolean;
}

/** Maximum size of the messages in all rings of an instance together, in bytes. */
const MAX_BYTES = 64 * 1024 * 1024;

/** Bounds the memory of all rings of an instance together. */
export interface RingBudget {
  /** Counts a change of a ring's size. If the budget is exceeded, the rings that were quiet longest give up steps. */
  count(ring: BudgetedRing, bytes: number): void;
  /** Forgets a ring, whose steps no longer count. */
  remove(ring: BudgetedRing): void;
  readonly bytes: number;
}

export function createRingBudget(maxBytes = MAX_BYTES): RingBudget {
  /** Rings with steps to give up, those that grew least recently first. */
  const rings = new Set<BudgetedRing>();
  let bytes = 0;
  let isShedding = false;

  function shed(): void {
    isShedding = true;
    for (const ring of rings) {
      while (bytes > maxBytes && ring.evictOldest());
      if (bytes <= maxBytes) break;
      rings.delete(ring);
    }
    isShedding = false;
  }

  return {
    count(ring, change) {
      bytes += change;
      if (change > 0) {
        rings.delete(ring);
        rings.add(ring);
      }
      if (bytes > maxBytes && !isShedding) shed();
    },
    remove(ring) {
      rings.delete(ring);
    },
    get bytes() {
      return bytes;
    },
  };
}
