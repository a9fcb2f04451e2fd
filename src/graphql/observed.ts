import type { GraphQLError } from 'graphql';
import type { OperationObserver } from './hooks.js';
import type { Results } from './subscribe.js';

/**
 * Reports to the observer that the subscription has opened and, once, how it ends.
 *
 * @param onEnd called once when it has ended.
 */
export function observed(results: Results, observer: OperationObserver | null, onEnd: () => void): Results {
  let isOver = false;
  const finish = (errors: readonly GraphQLError[]): void => {
    if (isOver) return;
    isOver = true;
    onEnd();
    observer?.finished(errors);
  };
  observer?.opened();
  const wrapped: Results = {
    async next() {
      try {
        const result = await results.next();
        if (result.done) finish([]);
        return result;
      } catch (error) {
        // `resultsOf` converts every error to a GraphQLError.
        finish([error as GraphQLError]);
        throw error;
      }
    },
    async return() {
      finish([]);
      await results.return?.();
      return { done: true, value: undefined };
    },
    [Symbol.asyncIterator]: () => wrapped,
  };
  return wrapped;
}
