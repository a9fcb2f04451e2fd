import { ApolloLink, Observable } from '@apollo/client';
import type { ParleyClient } from '../client.js';
import { argumentOf, operationOf, rootFields } from '../documents.js';
import type { Result } from '../result.js';
import { createBatch } from './batch.js';
import { forgetMessages } from './forget.js';
import { keepNewest } from './newest.js';

type Data = Record<string, unknown>;

/**
 * The last link of an Apollo Client: runs all its operations by a `ParleyClient`. Subscriptions resume by themselves
 * after the last message, whatever `after` they were started with. Queries, and `sendMessage` with a `clientMessageId`,
 * are repeated after a cut. Errors of the connection are of the class `ParleyError`.
 *
 * If the history of a room has a gap, because a backup was restored, the link removes the room's messages from the cache
 * and refetches the active queries that show them. `messageAdded` goes on after that.
 */
export function parleyLink(client: ParleyClient): ApolloLink {
  return new ApolloLink(
    ({ query, variables, client: apollo }) =>
      new Observable((observer) => {
        const operation = operationOf(query);
        const [field] = rootFields(operation);
        const roomId = field && argumentOf(field, 'roomId', variables);
        const batch = createBatch<Result<Data>>(apollo.cache, (result) =>
          observer.next(apolloResult(result, keepNewest(result.data, operation, variables, apollo.cache))),
        );
        const end = client.execute<Data, object>(query, variables, {
          next: batch.add,
          error(error) {
            batch.flush();
            observer.error(error);
          },
          complete() {
            batch.flush();
            observer.complete();
          },
          historyGap: async () => {
            batch.flush();
            if (typeof roomId !== 'string') return;
            await apollo.refetchQueries({ updateCache: (cache) => forgetMessages(cache, roomId) });
          },
        });
        return () => {
          end();
          batch.drop();
        };
      }),
  );
}

function apolloResult(
  { errors, extensions }: Result,
  data: Data | null | undefined,
): ApolloLink.Result<Data> {
  return {
    ...(data !== undefined && { data }),
    ...(errors && { errors }),
    ...(typeof extensions === 'object' && extensions && { extensions }),
  };
}
