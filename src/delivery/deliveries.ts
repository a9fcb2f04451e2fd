/** What one subscription delivers. `return()` ends it at once, also while `next()` waits. */
export type Deliveries<Event> = AsyncIterableIterator<Event, void, void> &
  Required<Pick<AsyncIterator<Event, void, void>, 'return' | 'throw'>>;

/**
 * An async generator queues `return()` behind the `next()` it waits in: in a silent room, for ever. So `finish` is
 * called first, which must wake it.
 */
export function endable<Event>(
  source: AsyncGenerator<Event, void, void>,
  finish: () => void,
): Deliveries<Event> {
  let isEnded = false;
  const end = (): void => {
    isEnded = true;
    finish();
  };
  const iterator: Deliveries<Event> = {
    async next() {
      try {
        const result = await source.next();
        if (result.done) end();
        return result;
      } catch (error) {
        // What fails after the end is nobody's any more.
        if (isEnded) return { done: true, value: undefined };
        end();
        throw error;
      }
    },
    async return() {
      end();
      await source.return();
      return { done: true, value: undefined };
    },
    async throw(error) {
      end();
      await source.return();
      throw error;
    },
    [Symbol.asyncIterator]: () => iterator,
  };
  return iterator;
}
