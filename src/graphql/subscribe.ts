import { type ExecutionArgs, type ExecutionResult, execute } from 'graphql';
import { UndeliverableEventError } from '../domain/errors.js';
import { type Context, createContext, viewerOf } from './context.js';

/** The results of a subscription, in the order of its events. */
export type Results = AsyncIterableIterator<ExecutionResult, void, void>;

/**
 * Executes an event for one subscriber, as graphql-js does but in a context of its own: what was read for one event (a
 * name, a membership) is read again for the next.
 *
 * One failing nullable field spoils neither the event nor the stream.
 *
 * @throws UnauthenticatedError once the token has expired; UndeliverableEventError if `data` would be null, so that the
 *   client resumes from its last cursor.
 */
export async function executeEvent(args: ExecutionArgs, event: unknown): Promise<ExecutionResult> {
  // The pipeline's `contextOf` made it; graphql-js passes it through untyped.
  const { services, authentication, address } = args.contextValue as Context;
  const contextValue = createContext(services, authentication, address);
  viewerOf(contextValue);
  const result = await execute({ ...args, rootValue: event, contextValue });
  if (result.data == null) throw new UndeliverableEventError({ cause: result.errors?.[0] });
  return result;
}

/**
 * Executes an event once for all subscribers who get equal results, in a context of `createSharedContext` or of their
 * common viewer; see `sharingOf`.
 *
 * @returns the result itself, not a promise, if nothing has to be waited for.
 */
export function executeShared(
  args: ExecutionArgs,
  event: unknown,
): ExecutionResult | Promise<ExecutionResult> {
  return execute({ ...args, rootValue: event });
}

/**
 * Turns events into results, one at a time. A failure of either ends the stream, with the error that `toError` makes.
 * Unlike a generator, it can be ended while it waits.
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
