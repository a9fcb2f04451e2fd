import { TurnQueue } from './turn-queue.js';

/** How a task waits for its permit. */
export interface Turn {
  /** Tasks with the same key share one place in the rotation: those of a user, say. Tasks without one share another. */
  readonly key?: string;
  /** The class of the task, an index into the semaphore's classes; 0, the first, by default. */
  readonly priority?: number;
  /** Aborts the wait; a task that has begun is not aborted. */
  readonly signal?: AbortSignal;
}

/** Limits how many tasks run at once. */
export interface Semaphore {
  /**
   * Runs the task as soon as it gets a permit, which is released when the task settles, whether it succeeds or fails.
   *
   * @throws the error of the timeout or of the full queue or the signal's reason if the task has not begun, otherwise the
   *   task's own error.
   */
  run<Result>(task: () => Promise<Result>, turn?: Turn): Promise<Result>;
  /** Resolves when no task runs or waits. */
  idle(): Promise<void>;
  /** Number of tasks that wait. */
  readonly waiting: number;
  /** Number of tasks that run. */
  readonly running: number;
}

export interface SemaphoreOptions {
  /** Number of tasks that may run at once. */
  readonly permits: number;
  /** Number of tasks with the same key that may run at once; unlimited by default, and for tasks without a key. */
  readonly permitsPerKey?: number;
  /** Number of classes of tasks. Earlier classes go first, but one in four turns is that of the class that waits longest. */
  readonly classes?: number;
  /** Limits the wait for a permit, in ms; without it, a task waits as long as it takes. */
  readonly timeout?: { readonly ms: number; readonly error: () => Error };
  /**
   * Limits the number of tasks that wait. Beyond it, the newest task of the key with the most of them is rejected, in the
   * last class in which tasks wait.
   */
  readonly queue?: { readonly max: number; readonly error: () => Error };
}

const DONE = Promise.resolve();
const NO_TURN: Turn = {};

/** A task that waits for a permit. */
interface Waiter {
  readonly enter: () => void;
  readonly refuse: (error: Error) => void;
}

/**
 * Creates a semaphore with all permits free. Waiting tasks take turns by their keys, so that one user's thousand tasks
 * delay another user's single one by one task; those of one key run in order of arrival.
 */
export function createSemaphore(options: SemaphoreOptions): Semaphore {
  const { permits, permitsPerKey = Infinity, classes = 1, timeout, queue: limit } = options;
  const queue = new TurnQueue<Waiter>(classes);
  const runningByKey = new Map<string, number>();
  const onIdle: (() => void)[] = [];
  let running = 0;

  const hasPermit = (key: string): boolean => key === '' || (runningByKey.get(key) ?? 0) < permitsPerKey;

  function begin(key: string): void {
    running += 1;
    if (key !== '' && permitsPerKey < permits) runningByKey.set(key, (runningByKey.get(key) ?? 0) + 1);
  }

  function acquire({ key = '', priority = 0, signal }: Turn): Promise<void> {
    signal?.throwIfAborted();
    if (running < permits && hasPermit(key)) {
      begin(key);
      return DONE;
    }
    return new Promise((resolve, reject) => {
      let timer: NodeJS.Timeout | undefined;
      const settle = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', onAbort);
      };
      const refuse = (error: unknown): void => {
        queue.delete(priority, key, waiter);
        settle();
        reject(error);
      };
      const onAbort = (): void => refuse(signal?.reason);
      const waiter: Waiter = {
        enter() {
          settle();
          begin(key);
          resolve();
        },
        refuse,
      };
      queue.add(priority, key, waiter);
      if (limit && queue.size > limit.max) queue.newestOfLongest()?.refuse(limit.error());
      if (!queue.has(priority, key, waiter)) return;
      signal?.addEventListener('abort', onAbort);
      if (timeout) timer = setTimeout(() => refuse(timeout.error()), timeout.ms);
    });
  }

  function release(key: string): void {
    running -= 1;
    const left = (runningByKey.get(key) ?? 1) - 1;
    if (left > 0) runningByKey.set(key, left);
    else runningByKey.delete(key);
    // The permit goes to a waiting task at once, so that a newcomer cannot overtake it.
    queue.next(hasPermit)?.enter();
    if (running === 0) for (const resolve of onIdle.splice(0)) resolve();
  }

  return {
    async run(task, turn = NO_TURN) {
      await acquire(turn);
      try {
        return await task();
      } finally {
        release(turn.key ?? '');
      }
    },
    idle: () => (running === 0 ? DONE : new Promise((resolve) => onIdle.push(resolve))),
    get waiting() {
      return queue.size;
    },
    get running() {
      return running;
    },
  };
}
