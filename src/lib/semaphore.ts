/** Runs a limited number of tasks at once; the others wait their turn, first in, first out. */
export interface Semaphore {
  /**
   * Runs the task as soon as a permit is free, and returns the permit when the task settles, however it does.
   *
   * @param signal aborts the wait for a permit.
   * @throws the timeout's error, or the signal's reason; the task has not begun then.
   */
  run<Result>(task: () => Promise<Result>, signal?: AbortSignal): Promise<Result>;
  /** Resolves as soon as no task runs or waits. */
  idle(): Promise<void>;
}

/** How long a task waits for a permit. */
export interface AcquireTimeout {
  readonly ms: number;
  /** Makes the error that the caller gets then. */
  readonly error: () => Error;
}

/**
 * @param permits how many tasks run at once
 * @param timeout null: tasks wait without a limit
 */
export function createSemaphore(permits: number, timeout: AcquireTimeout | null): Semaphore {
  /** One callback per waiting task, by arrival. A Set removes one that gives up in constant time. */
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
    // The permit is handed on, not given back: a newcomer never overtakes a waiting task.
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
