import { createSourceEventStream, type ExecutionArgs, type ExecutionResult, execute } from 'graphql';
import { isAsyncIterable, mapAsyncIterator, type Plugin } from 'graphql-yoga';
import { UndeliverableEventError } from '../domain/errors.js';
import { type Context, createContext, viewerOf } from './context.js';

/**
 * Executes subscriptions as graphql-js does, but each event with a context of its own: what was read for one event
 * (an author's name, a membership) is read again for the next.
 *
 * An event whose `data` would be null is never delivered: the operation ends with `SERVICE_UNAVAILABLE`, and the
 * client resumes from its last cursor. One failing nullable field spoils neither the event nor the stream.
 */
export function useSubscriptionEvents(): Plugin {
  return {
    onSubscribe({ setSubscribeFn }) {
      setSubscribeFn(subscribe);
    },
  };
}

async function subscribe(args: ExecutionArgs): Promise<AsyncIterable<ExecutionResult> | ExecutionResult> {
  const source = await createSourceEventStream(args);
  if (!isAsyncIterable<unknown>(source)) return source;
  return mapAsyncIterator(source, (event) => executeEvent(args, event));
}

async function executeEvent(args: ExecutionArgs, event: unknown): Promise<ExecutionResult> {
  // The context is whatever `createContext` made for this operation; graphql-js passes it through untyped.
  const { services, authentication, address } = args.contextValue as Context;
  const contextValue = createContext(services, authentication, address);
  // A token may expire while the stream is open; what follows is then for nobody.
  viewerOf(contextValue);
  const result = await execute({ ...args, rootValue: event, contextValue });
  if (result.data == null) throw new UndeliverableEventError({ cause: result.errors?.[0] });
  return result;
}

/**
 * Executes an event once for all who are told it alike, by a context of `createSharedContext`, or of the only
 * viewer; see `sharingOf`.
 *
 * @returns at once where nothing has to be waited for.
 */
export function executeShared(
  { schema, document, operationName, variableValues }: ExecutionArgs,
  event: unknown,
  contextValue: Context,
): ExecutionResult | Promise<ExecutionResult> {
  return execute({ schema, document, operationName, variableValues, rootValue: event, contextValue });
}
