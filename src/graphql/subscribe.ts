import { type ExecutionArgs, type ExecutionResult, execute } from 'graphql';
import { UndeliverableEventError } from '../domain/errors.js';
import { type Context, createContext, viewerOf } from './context.js';

/** The results of a subscription, in the order of its events. */
export type Results = AsyncIterableIterator<ExecutionResult, void, void>;

/**
 * Executes an event for one subscriber, like graphql-js, but in a context of its own, so that data loaded for one event
 * (a name, a membership) is loaded again for the next.
 *
 * An error in a nullable field is part of the result and does not end the stream.
 *
 * @throws UnauthenticatedError once the token has expired; UndeliverableEventError if `data` would be null, so that the
 *   client resumes from its last cursor.
 */
export async function executeEvent(args: ExecutionArgs, event: unknown): Promise<ExecutionResult> {
  // Created by the pipeline's `contextOf`; graphql-js does not type it.
  const { services, authentication, address } = args.contextValue as Context;
  // Its subscription ends the stream when the client is gone.
  const contextValue = createContext(services, authentication, address, () => false);
  viewerOf(contextValue);
  const result = await execute({ ...args, rootValue: event, contextValue });
  if (result.data == null) throw new UndeliverableEventError({ cause: result.errors?.[0] });
  return result;
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
  execute: (event: unknown) => Promise<ExecutionResult>,
  toError: (error: unknown) => Error,
): Results {
  const source = events[Symbol.asyncIterator]();
  const results: Results = {
    async next() {
      try {
        const event = await source.next();
        if (event.done) return { done: true, value: undefined };
        return { done: false, value: await execute(event.value) };
      } catch (error) {
        await source.return?.();
        throw toError(error);
      }
    },
    async return() {
      await source.return?.();
      return { done: true, value: undefined };
    },
    [Symbol.asyncIterator]: () => results,
  };
  return results;
}
