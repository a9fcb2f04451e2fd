import { setTimeout as sleep } from 'node:timers/promises';
import { type ExecutionArgs, type ExecutionResult, execute } from 'graphql';
import { UndeliverableEventError } from '../domain/errors.js';
import { type Context, createContext, viewerOf } from './context.js';
import { isTemporary } from './errors.js';

/** The results of a subscription, in the order of its events. */
export type Results = AsyncIterableIterator<ExecutionResult, void, void>;

/** Executes an event of a subscription. @param isEnded whether the subscription has ended meanwhile. */
type ExecuteEvent = (event: unknown, isEnded: () => boolean) => Promise<ExecutionResult>;

/** Time between two executions of an event while a part of the server is unavailable, in ms. */
export const RETRY_INTERVAL_MS = 1000;
/** Time for which the events of a stream share what was loaded for them, in ms. */
const CONTEXT_LIFETIME_MS = 1000;
/** Time between two events, in ms, after which they are no longer parts of one replay. */
const CONTEXT_IDLE_MS = 50;

/**
 * Executes the events of one subscription, like graphql-js. Events that follow each other at once, as in a replay, share a
 * context, so that what they have in common is loaded once. Each event has the limits of an operation. While a part of the
 * server is unavailable that an event needs, the event waits for it.
 *
 * An error in a nullable field is part of the result and does not end the stream.
 *
 * @returns a function that throws UnauthenticatedError once the token has expired, and UndeliverableEventError if `data`
 *   would be null, so that the client resumes from its last cursor.
 */
export function createEventExecution(args: ExecutionArgs): ExecuteEvent {
  // Created by the pipeline's `contextOf`; graphql-js does not type it.
  const subscribed = args.contextValue as Context;
  let contextValue: Context | null = null;
  let createdAt = 0;
  let usedAt = 0;

  function currentContext(): Context {
    const now = performance.now();
    if (!contextValue || now - createdAt > CONTEXT_LIFETIME_MS || now - usedAt > CONTEXT_IDLE_MS) {
      // Its subscription ends the stream when the client is gone.
      contextValue = createContext(subscribed.services, subscribed, () => false);
      createdAt = now;
    } else contextValue.work.restart();
    return contextValue;
  }

  async function executeNow(event: unknown): Promise<ExecutionResult> {
    const context = currentContext();
    viewerOf(context);
    const result = await execute({ ...args, rootValue: event, contextValue: context });
    usedAt = performance.now();
    // What has failed is not loaded from this context again.
    if (result.errors) contextValue = null;
    return result;
  }

  return async (event, isEnded) => {
    let result = await executeNow(event);
    while (isUnavailable(result) && !isEnded()) {
      await sleep(RETRY_INTERVAL_MS);
      result = await executeNow(event);
    }
    if (result.data == null) throw new UndeliverableEventError({ cause: result.errors?.[0] });
    return result;
  };
}

/** Whether a part of the server that the event needs is temporarily unavailable. */
export function isUnavailable({ errors }: ExecutionResult): boolean {
  return errors?.some(isTemporary) ?? false;
}

/**
 * Executes an event once for all subscribers with equal results, in a context of `createSharedContext` or of their common
 * viewer; see `sharingOf`.
 *
 * @returns the result, or a promise of it if a resolver is asynchronous.
 */
export function executeShared(
  args: ExecutionArgs,
  event: unknown,
): ExecutionResult | Promise<ExecutionResult> {
  return execute({ ...args, rootValue: event });
}

/**
 * Maps events to results, one at a time. If the source or an execution fails, the stream ends with the error from
 * `toError`. Unlike a generator, it can be ended while `next()` is pending.
 */
export function mapEvents(
  events: AsyncIterable<unknown>,
  execute: ExecuteEvent,
  toError: (error: unknown) => Error,
): Results {
  const source = events[Symbol.asyncIterator]();
  let isEnded = false;
  const results: Results = {
    async next() {
      try {
        const event = await source.next();
        if (event.done) return { done: true, value: undefined };
        return { done: false, value: await execute(event.value, () => isEnded) };
      } catch (error) {
        await source.return?.();
        throw toError(error);
      }
    },
    async return() {
      isEnded = true;
      await source.return?.();
      return { done: true, value: undefined };
    },
    [Symbol.asyncIterator]: () => results,
  };
  return results;
}
