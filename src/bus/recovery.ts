import type { Log } from '../domain/ports.js';

/** Notifies listeners whenever the bus becomes healthy. */
export interface Recovery {
  /** Listeners are called in the order in which they were added. One that throws is logged and does no further harm. */
  onRecovered(listener: () => void): void;
  /** Notifies the listeners if the bus is healthy and was not at the previous check. */
  check(): void;
  /** Makes the next check notify if the bus is then healthy, regardless of its previous state. */
  reset(): void;
}

export function createRecovery(isHealthy: () => boolean, log: Log): Recovery {
  const listeners = new Set<() => void>();
  let wasHealthy = false;
  return {
    onRecovered: (listener) => void listeners.add(listener),
    check() {
      const before = wasHealthy;
      wasHealthy = isHealthy();
      if (!wasHealthy || before) return;
      for (const listener of listeners) {
        try {
          listener();
        } catch (error) {
          log.error({ error }, 'A recovery listener of the bus failed');
        }
      }
    },
    reset() {
      wasHealthy = false;
    },
  };
}
