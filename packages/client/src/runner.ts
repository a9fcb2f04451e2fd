import { createBackoff } from './backoff.js';
import { disposed, errorOf, isTemporary, type ParleyError, safely } from './errors.js';
import type { Run } from './operation.js';
import type { Result } from './result.js';
import type { StatusTracker } from './status.js';

export interface Runner {
  /** Wraps a transport so that its operations are repeated while the server is temporarily unavailable. */
  resilient(run: Run): Run;
  /** Fails all operations with `DISPOSED`, also those that are started later. */
  dispose(): void;
}

/** Runs operations until they succeed, fail for good, or the client is disposed. */
export function createRunner(status: StatusTracker, maxDelayMs?: number): Runner {
  const running = new Set<(error: ParleyError) => void>();
  let isDisposed = false;

  const resilient =
    (run: Run): Run =>
    (operation, sink) => {
      const isSubscription = operation.kind === 'subscription';
      const backoff = createBackoff(maxDelayMs);
      let stop = (): void => {};

      function end(): void {
        running.delete(fail);
        stop();
        backoff.reset();
        status.setBehind(backoff, false);
      }
      function complete(): void {
        end();
        safely(() => sink.complete());
      }
      function fail(error: ParleyError): void {
        end();
        if (isSubscription || error.errors.length === 0) safely(() => sink.error(error));
        else {
          safely(() => sink.next(error));
          complete();
        }
      }
      async function again(): Promise<void> {
        stop();
        status.setBehind(backoff, true);
        backoff.fail();
        await backoff.wait();
        if (running.has(fail)) start();
      }
      function error(error: ParleyError): void {
        if (operation.kind !== 'once' && isTemporary(error)) again();
        else fail(error);
      }
      function next(result: Result): void {
        const failure = errorOf(result);
        // An event whose nullable field failed is delivered as it is.
        if (isSubscription ? result.data == null : isTemporary(failure)) error(failure);
        else {
          backoff.reset();
          safely(() => sink.next(result));
        }
      }
      function start(): void {
        status.setBehind(backoff, false);
        stop = run(operation, { next, error, complete });
      }

      if (isDisposed) fail(disposed());
      else {
        start();
        running.add(fail);
      }
      return end;
    };

  return {
    resilient,
    dispose() {
      isDisposed = true;
      for (const fail of [...running]) fail(disposed());
    },
  };
}
