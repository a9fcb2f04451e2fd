/** Limits how many tasks run at once. The others wait, first in, first out. */
export interface Semaphore {
  /**
   * Runs the task as soon as a permit is free. The permit is released when the task settles, whether it succeeds or fails.
   *
   * @param signal aborts the wait for a permit; a task that has begun is not aborted.
   * @throws the timeout's error or the signal's reason if the task has not begun, otherwise the task's own error.
   */
  run<Result>(task: () => Promise<Result>, signal?: AbortSignal): Promise<Result>;
  /** Resolves when no task runs or waits. */
  idle(): Promise<void>;
}

/** Limit of the wait for a permit. */
export interface AcquireTimeout {
  readonly ms: number;
  /** Creates the error with which `run` rejects after that time. */
  readonly error: () => Error;
}

/**
 * Creates a semaphore with all permits free.
 *
 * @param permits number of tasks that may run at once.
 * @param timeout limit of the wait for a permit; null means no limit.
 */
export function createSemaphore(permits: number, timeout: AcquireTimeout | null): Semaphore {
  /** One callback per waiting task, in order of arrival. A Set removes one whose wait ends early in constant time. */
  const waiting = new Set<() => void>();
  const onIdle: (() => void)[] = [];
  let running = 0;

  function acquire(signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    if (running < permits) {
      running += 1;
      return Promise.resolve();
    }
    return new Promise((resolve, reject) => {
      let timer: NodeJS.Timeout | undefined;
      const settle = (then: () => void): void => {
        waiting.delete(enter);
        clearTimeout(timer);
        signal?.removeEventListener('abort', onAbort);
        then();
      };
      const enter = (): void => settle(resolve);
      const onAbort = (): void => settle(() => reject(signal?.reason));
      waiting.add(enter);
      signal?.addEventListener('abort', onAbort);
      if (timeout) timer = setTimeout(() => settle(() => reject(timeout.error())), timeout.ms);
    });
  }

  function release(): void {
    // The permit goes directly to the first waiting task, so that a newcomer cannot overtake it.
    for (const enter of waiting) {
      enter();
      return;
    }
    running -= 1;
    if (running === 0) for (const resolve of onIdle.splice(0)) resolve();
  }

  return {
    async run(task, signal) {
      await acquire(signal);
      try {
        return await task();
      } finally {
        release();
      }
    },
    idle: () => (running === 0 ? Promise.resolve() : new Promise((resolve) => onIdle.push(resolve))),
  };
}
