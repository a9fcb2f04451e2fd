import { ServiceUnavailableError } from '../domain/errors.js';

/** Lets a limited number of tasks run at once; the others wait for their turn, first come, first served. */
export interface Turns {
  /**
   * Runs the task as soon as it has a turn, and gives that back when the task settles, however it does.
   *
   * @param signal ends the wait for a turn.
   * @throws ServiceUnavailableError where no turn came in time, and the signal's reason; the task was not begun then.
   */
  run<Result>(task: () => Promise<Result>, signal?: AbortSignal): Promise<Result>;
  /** Resolves as soon as nothing runs and nobody waits. */
  idle(): Promise<void>;
}

/**
 * @param limit how many tasks may run at once
 * @param patienceMs how long one waits for a turn at most; null: for ever
 */
export function createTurns(limit: number, patienceMs: number | null): Turns {
  /** What lets each one in who waits, by arrival. A Set forgets whoever gives up, and its first costs 3 µs in 10,000. */
  const waiting = new Set<() => void>();
  const onIdle: (() => void)[] = [];
  let running = 0;

  function turn(signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    if (running < limit) {
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
      if (patienceMs !== null)
        timer = setTimeout(() => settle(() => reject(new ServiceUnavailableError())), patienceMs);
    });
  }

  function leave(): void {
    // Handed on, not given back: nobody who comes now gets in before those who wait.
    for (const enter of waiting) {
      enter();
      return;
    }
    running -= 1;
    if (running === 0) for (const resolve of onIdle.splice(0)) resolve();
  }

  return {
    async run(task, signal) {
      await turn(signal);
      try {
        return await task();
      } finally {
        leave();
      }
    },
    idle: () => (running === 0 ? Promise.resolve() : new Promise((resolve) => onIdle.push(resolve))),
  };
}
