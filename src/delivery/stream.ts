import type { LiveReader } from './live.js';

/** The events of one subscription. `return()` ends it at once, even while a `next()` is pending. */
export interface EventStream<Event> extends AsyncIterableIterator<Event, void, void> {
  return(): Promise<IteratorReturnResult<void>>;
  throw(error: unknown): Promise<never>;
  /**
   * Requests the handoff: once the reader has received everything, the stream ends instead of waiting for more, and
   * `onLive` takes over the reader with its hold on the feed. Must be called before the first `next()`.
   */
  handOff(onLive: OnLive): void;
}

/** Takes over a reader that has received everything. It must release the reader's attachment later, or resume the reader. */
export type OnLive = (reader: LiveReader) => void;

/**
 * Wraps a generator so that `return()` ends it at once. A plain generator queues `return()` behind the pending `next()`,
 * which in a silent room never settles.
 *
 * @param finish called before the generator is ended; must settle its pending `next()`. May be called more than once.
 */
export function createEventStream<Event>(
  source: AsyncGenerator<Event, void, void>,
  handOff: EventStream<Event>['handOff'],
  finish: () => void,
): EventStream<Event> {
  let isEnded = false;
  const end = (): void => {
    isEnded = true;
    finish();
  };
  const stream: EventStream<Event> = {
    handOff,
    async next() {
      try {
        const result = await source.next();
        if (result.done) end();
        return result;
      } catch (error) {
        // After the end, the error has no recipient.
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
    [Symbol.asyncIterator]: () => stream,
  };
  return stream;
}
