/** The middle value, or the mean of the two middle values. @throws RangeError if there are no values. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const upper = sorted[Math.floor(sorted.length / 2)];
  const lower = sorted[Math.ceil(sorted.length / 2) - 1];
  if (upper === undefined || lower === undefined) throw new RangeError('An empty list has no median');
  return (lower + upper) / 2;
}

/** The smallest value that is not below this share (0 to 1) of the values; null if there are none. */
export function quantile(values: readonly number[], fraction: number): number | null {
  return [...values].sort((a, b) => a - b)[Math.max(0, Math.ceil(values.length * fraction) - 1)] ?? null;
}

const BUCKETS_PER_MS = 20;
const MAX_DURATION_MS = 10_000;

/** Counts durations in ms, in buckets of 50 µs. Longer durations than 10 s count as 10 s. */
export function createHistogram() {
  const counts = new Uint32Array(BUCKETS_PER_MS * MAX_DURATION_MS + 1);
  let total = 0;
  return {
    add(ms: number): void {
      const bucket = Math.min(Math.max(0, Math.floor(ms * BUCKETS_PER_MS)), counts.length - 1);
      counts[bucket] = (counts[bucket] ?? 0) + 1;
      total += 1;
    },
    /** The upper end of the bucket that contains this quantile (0 to 1); null if nothing was counted. */
    quantile(fraction: number): number | null {
      let left = Math.ceil(total * fraction);
      if (total === 0) return null;
      for (let bucket = 0; bucket < counts.length; bucket++) {
        left -= counts[bucket] ?? 0;
        if (left <= 0) return (bucket + 1) / BUCKETS_PER_MS;
      }
      return null;
    },
    reset(): void {
      counts.fill(0);
      total = 0;
    },
  };
}
