import { createSemaphore } from '../../lib/semaphore.js';

/** A read that has not begun, and those who wait for it. */
interface SharedRead<Found> {
  readonly readerIds: Set<string>;
  readonly result: Promise<Found>;
}

/**
 * Shares reads: what several readers want before it was read, is read once for all of them. Reads wait for one of few permits,
 * so that a burst of reconnects leaves connections for everything else; users take turns, however much each of them reads.
 */
export function createSharedReads<Found>(permits: number) {
  const semaphore = createSemaphore({ permits });
  const waiting = new Map<string, SharedRead<Found | null>>();

  function start(
    key: string,
    userId: string,
    read: (readerIds: readonly string[]) => Promise<Found>,
  ): SharedRead<Found | null> {
    const readerIds = new Set<string>();
    const begin = async (): Promise<Found | null> => {
      waiting.delete(key);
      // Nobody waits any more.
      return readerIds.size === 0 ? null : read([...readerIds]);
    };
    const shared = {
      readerIds,
      result: afterThisTurn().then(() => semaphore.run(begin, { key: userId })),
    };
    waiting.set(key, shared);
    return shared;
  }

  return {
    /**
     * Resolves to the result of the read for all readers with this key. It begins in a later turn of the event loop.
     *
     * @throws the signal's reason if it aborts first, otherwise the error of the read.
     */
    async run(
      key: string,
      { userId, signal }: { readonly userId: string; readonly signal: AbortSignal },
      read: (readerIds: readonly string[]) => Promise<Found>,
    ): Promise<Found> {
      signal.throwIfAborted();
      const shared = waiting.get(key) ?? start(key, userId, read);
      const { readerIds } = shared;
      readerIds.add(userId);
      const found = await new Promise<Found | null>((resolve, reject) => {
        const onAbort = (): void => {
          readerIds.delete(userId);
          reject(signal.reason);
        };
        signal.addEventListener('abort', onAbort);
        shared.result.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
      });
      if (found === null) throw new Error('A read was left out although somebody waited for it.');
      return found;
    },
  };
}

function afterThisTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
