/** The least time between two runs, in ms. */
const MIN_INTERVAL_MS = 20;

export interface Throttle {
  /** Runs at once, or as soon as the interval is over if the last run is too recent. */
  request(): void;
  /** Runs at once, whether it was requested or not. */
  run(): void;
  /** Drops a request that waits. */
  cancel(): void;
}

/**
 * Bounds how often something runs during a burst, such as what was missed during an outage: at most every 20 ms, or every
 * other moment if a run takes longer, so that it takes no more than half of the time.
 */
export function createThrottle(task: () => void): Throttle {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let nextAt = 0;

  function cancel(): void {
    clearTimeout(timer);
    timer = undefined;
  }

  function run(): void {
    cancel();
    const startedAt = performance.now();
    task();
    const now = performance.now();
    nextAt = now + Math.max(MIN_INTERVAL_MS, now - startedAt);
  }

  return {
    request() {
      if (timer !== undefined) return;
      const delay = nextAt - performance.now();
      if (delay <= 0) run();
      else timer = setTimeout(run, delay);
    },
    run,
    cancel,
  };
}
