/** Time until the first retry, in ms. Each further one waits twice as long as the one before. */
const MIN_RETRY_DELAY_MS = 1000;
const MAX_RETRY_DELAY_MS = 10_000;

/** Retries with exponential backoff. At most one retry is pending. */
export interface Retry {
  /** Schedules a retry. Does nothing if one is pending. */
  schedule(): void;
  /** Cancels the pending retry; the next one starts with the shortest delay again. */
  reset(): void;
}

export function createRetry(run: () => void): Retry {
  let timer: NodeJS.Timeout | undefined;
  let delayMs = MIN_RETRY_DELAY_MS;
  return {
    schedule() {
      if (timer) return;
      timer = setTimeout(() => {
        timer = undefined;
        run();
      }, delayMs);
      delayMs = Math.min(delayMs * 2, MAX_RETRY_DELAY_MS);
    },
    reset() {
      clearTimeout(timer);
      timer = undefined;
      delayMs = MIN_RETRY_DELAY_MS;
    },
  };
}
