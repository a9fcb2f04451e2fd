/** The longest pause after the first failure, in ms; it doubles with each further failure in a row. */
const FIRST_DELAY_MS = 1000;
/** The shortest pause, as a share of the longest: the rest is random, so that clients do not come back all at once. */
const MIN_SHARE = 0.25;

export const DEFAULT_MAX_DELAY_MS = 10_000;

/** The pauses between attempts of one kind. */
export interface Backoff {
  /** Whether the latest attempt failed. */
  readonly isFailing: boolean;
  /** Resolves when the next attempt is due; at once if none failed. */
  wait(): Promise<void>;
  /** An attempt failed: starts a pause. */
  fail(): void;
  /** Ends the pause; the next failure is the first again. */
  reset(): void;
}

/**
 * Capped exponential back-off with jitter: 250 to 1000 ms after the first failure, twice as much after each further
 * one, at most `maxDelayMs`.
 */
export function createBackoff(maxDelayMs = DEFAULT_MAX_DELAY_MS): Backoff {
  let failures = 0;
  let due = Promise.resolve();
  let end = (): void => {};
  return {
    get isFailing() {
      return failures > 0;
    },
    wait: () => due,
    fail() {
      end();
      const longest = Math.min(maxDelayMs, FIRST_DELAY_MS * 2 ** failures);
      failures += 1;
      due = new Promise((resolve) => {
        const timer = setTimeout(resolve, longest * (MIN_SHARE + (1 - MIN_SHARE) * Math.random()));
        end = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    },
    reset() {
      failures = 0;
      end();
    },
  };
}
