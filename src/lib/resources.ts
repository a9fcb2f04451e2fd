/** What was started, each with its way to stop it. */
export interface Resources {
  add(close: () => unknown): void;
  /** Closes everything in reverse order, each after the one before it. A failure is reported and stops nothing. */
  close(onError?: (error: unknown) => void): Promise<void>;
}

/** A stand-in for AsyncDisposableStack, which Node has from version 24 on. */
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
