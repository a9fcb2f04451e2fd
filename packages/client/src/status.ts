import { type ParleyError, safely } from './errors.js';
import type { OnStatus, ParleyStatus } from './types.js';

/** Everything but `behind`, which depends on the operations. */
export type ConnectionStatus = Exclude<ParleyStatus, 'behind'>;

/** Combines the state of the connection with that of the operations. */
export interface StatusTracker {
  readonly status: ParleyStatus;
  /** Reports each change of the status or of the reason's code; returns a function that removes the listener. */
  listen(listener: OnStatus): () => void;
  set(connection: ConnectionStatus, reason?: ParleyError | null): void;
  /** Marks whether an operation, identified by any object, is behind. */
  setBehind(operation: object, isBehind: boolean): void;
}

export function createStatusTracker(): StatusTracker {
  const listeners = new Set<OnStatus>();
  const behind = new Set<object>();
  let connection: ConnectionStatus = 'connecting';
  let reason: ParleyError | null = null;
  let reported: ParleyStatus = connection;
  let reportedCode: string | undefined;

  function report(): void {
    const status = connection === 'live' && behind.size > 0 ? 'behind' : connection;
    if (status === reported && reason?.code === reportedCode) return;
    reported = status;
    reportedCode = reason?.code;
    for (const listener of [...listeners]) safely(() => listener(status, reason));
  }

  return {
    get status() {
      return reported;
    },
    listen(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    set(next, why = null) {
      connection = next;
      reason = why;
      report();
    },
    setBehind(operation, isBehind) {
      if (isBehind) behind.add(operation);
      else behind.delete(operation);
      report();
    },
  };
}
