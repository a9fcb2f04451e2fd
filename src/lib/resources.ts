/** The running parts of a program, which are closed together. */
export interface Resources {
  /** Registers how to close a part that was started. A promise that `close` returns is awaited. */
  add(close: () => unknown): void;
  /**
   * Closes all parts in reverse order of their start, one after the other. If a part fails to close, the error is passed
   * to `onError` and the next part is closed. Never rejects.
   */
  close(onError?: (error: unknown) => void): Promise<void>;
}

/** Creates an empty list of resources. Replaces `AsyncDisposableStack`, which Node.js has only since version 24. */
export function createResources(): Resources {
  const closers: (() => unknown)[] = [];
  return {
    add: (close) => void closers.push(close),
    async close(onError = () => {}) {
      for (const close of closers.splice(0).reverse()) {
        try {
          await close();
        } catch (error) {
          onError(error);
        }
      }
    },
  };
}
