/** Callbacks that are called together. */
export interface Listeners {
  /** @returns a function that removes the listener. */
  add(listener: () => void): () => void;
  /** Resolves at the next `notify`, or when the signal aborts. Never rejects. */
  next(signal: AbortSignal): Promise<void>;
  /** Calls all listeners that are present at the moment. */
  notify(): void;
}

export function createListeners(): Listeners {
  const listeners = new Set<() => void>();

  function add(listener: () => void): () => void {
    listeners.add(listener);
    return () => void listeners.delete(listener);
  }

  return {
    add,
    next: (signal) =>
      new Promise((resolve) => {
        const done = () => {
          remove();
          signal.removeEventListener('abort', done);
          resolve();
        };
        if (signal.aborted) return resolve();
        const remove = add(done);
        signal.addEventListener('abort', done);
      }),
    notify() {
      for (const listener of [...listeners]) listener();
    },
  };
}
