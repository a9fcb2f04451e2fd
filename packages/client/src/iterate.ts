import type { ParleyError } from './errors.js';
import type { SubscribeOptions, Subscriber } from './types.js';

/** Makes an async iterable of callbacks. Each iteration starts a subscription of its own, and ends it with the loop. */
export function iterate<Data extends object>(
  start: (subscriber: Subscriber<Data>) => () => void,
  options: SubscribeOptions,
): AsyncIterable<Data> {
  return {
    [Symbol.asyncIterator](): AsyncIterator<Data, undefined> {
      const queue: Data[] = [];
      const waiting: (() => void)[] = [];
      let isOver = false;
      let failure: ParleyError | null = null;

      const wake = (): void => {
        for (const resolve of waiting.splice(0)) resolve();
      };
      const finish = (error: ParleyError | null): void => {
        isOver = true;
        failure = error;
        wake();
      };
      const stop = start({
        ...options,
        next(data) {
          queue.push(data);
          wake();
        },
        error: finish,
        complete: () => finish(null),
      });

      return {
        async next() {
          for (;;) {
            const value = queue.shift();
            if (value) return { done: false, value };
            const error = failure;
            failure = null;
            if (error) throw error;
            if (isOver) return { done: true, value: undefined };
            await new Promise<void>((resolve) => waiting.push(resolve));
          }
        },
        async return() {
          stop();
          queue.length = 0;
          finish(null);
          return { done: true, value: undefined };
        },
      };
    },
  };
}
