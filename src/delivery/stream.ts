import type { LiveReader } from './live.js';

/** The events of one subscription. `return()` ends it at once, also while `next()` waits. */
export interface EventStream<Event> extends AsyncIterableIterator<Event, void, void> {
  return(): Promise<IteratorReturnResult<void>>;
  throw(error: unknown): Promise<never>;
  /**
   * Asks for the reader once it has everything so far: the stream then ends without waiting for more, and `onLive` takes
   * over the reader with its hold on the feed. Must be called before the first `next()`. Without it, the stream waits.
   */
  handOver(onLive: OnLive): void;
}

/** Takes over a reader that has everything. It must release the reader's attachment in the end, or resume the reader. */
export type OnLive = (reader: LiveReader) => void;

/**
 * Makes a generator endable: a plain one queues `return()` behind the `next()` it waits in, in a silent room for ever.
 *
 * @param finish called first, must wake the generator.
 */
export function createEventStream<Event>(
  source: AsyncGenerator<Event, void, void>,
  handOver: EventStream<Event>['handOver'],
  finish: () => void,
): EventStream<Event> {
  let isEnded = false;
  const end = (): void => {
    isEnded = true;
    finish();
  };
  const stream: EventStream<Event> = {
    handOver,
    async next() {
      try {
        const result = await source.next();
        if (result.done) end();
        return result;
      } catch (error) {
        // A failure after the end concerns nobody.
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
