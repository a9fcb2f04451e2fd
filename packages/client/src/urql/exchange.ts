import { type Exchange, type ExecutionResult, type Operation, subscriptionExchange } from '@urql/core';
import { parse } from 'graphql';
import type { ParleyClient } from '../client.js';
import { argumentOf, operationOf, rootFields, variablesOf } from '../documents.js';
import type { Result } from '../result.js';
import { HISTORY_REPLACED } from './cache.js';
import { createNewest } from './newest.js';

type Data = Record<string, unknown>;

/** Tells the cache; the exchange answers it itself. */
const HISTORY_WAS_REPLACED = /* @__PURE__ */ parse(
  `mutation ParleyHistoryReplaced($roomId: ID!) { ${HISTORY_REPLACED}(roomId: $roomId) }`,
);

/**
 * The last exchange of an urql client: runs all its operations by a `ParleyClient`. Subscriptions resume by themselves after
 * the last message, whatever `after` they were started with. Queries, and `sendMessage` with a `clientMessageId`, are
 * repeated after a cut. `networkError` is a `ParleyError`.
 *
 * If the history of a room has a gap, because a backup was restored, a cache with `parleyCache` forgets the room's messages,
 * and the active queries are sent again. `messageAdded` goes on after that.
 */
export function parleyExchange(client: ParleyClient): Exchange {
  return (input) => {
    const newest = createNewest();

    function run(operation: Operation, sink: Sink): () => void {
      const { query } = operation;
      const variables = variablesOf(operation.variables || {});
      const [field] = rootFields(operationOf(query));
      if (field?.name.value === HISTORY_REPLACED) {
        sink.next({ data: { [HISTORY_REPLACED]: true } });
        sink.complete();
        return () => {};
      }
      const roomId = field && argumentOf(field, 'roomId', variables);
      return client.execute<Data, object>(query, variables, {
        next: (result) => sink.next(urqlResult(result, newest(result.data))),
        error: (error) => sink.error(error),
        complete: () => sink.complete(),
        historyGap: () => void input.client.mutation(HISTORY_WAS_REPLACED, { roomId }).toPromise(),
      });
    }

    return subscriptionExchange({
      enableAllOperations: true,
      forwardSubscription: (_request, operation) => ({
        subscribe: (sink) => ({ unsubscribe: run(operation, sink) }),
      }),
    })(input);
  };
}

interface Sink {
  next(result: ExecutionResult): void;
  error(error: unknown): void;
  complete(): void;
}

function urqlResult({ errors, extensions }: Result, data: Data | null | undefined): ExecutionResult {
  return {
    ...(data !== undefined && { data }),
    ...(errors && { errors: [...errors] }),
    ...(typeof extensions === 'object' && extensions && { extensions: { ...extensions } }),
  };
}
