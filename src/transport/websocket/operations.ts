import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { type ExecutionArgs, type ExecutionResult, GraphQLError, getOperationAST } from 'graphql';
import type { Context as ConnectionContext, ServerOptions, SubscribePayload } from 'graphql-ws';
import { isAccepted } from '../../graphql/documents.js';
import { type ErrorCode, formatError } from '../../graphql/errors.js';
import { LIMITS } from '../../graphql/limits.js';
import type { OperationArgs } from '../../graphql/pipeline.js';
import type { Connection } from './connection.js';
import { SocketSubscription, type SubscriptionServices } from './subscription.js';

/** The payload of `connection_init`. */
export type Params = Record<string, unknown>;

type OperationHooks = Pick<
  ServerOptions<Params, Connection>,
  'onSubscribe' | 'execute' | 'subscribe' | 'onNext' | 'onError'
>;

/** How long queries and mutations may still take when their socket is to be closed, in ms. */
const ANSWER_TIMEOUT_MS = 5000;

export interface Operations {
  /** How graphql-ws runs one operation: through the same pipeline as HTTP. */
  readonly hooks: OperationHooks;
  /** Resolves when the socket's queries and mutations that are under way now have been answered, or after 5 s. */
  answered(connection: Connection): Promise<void>;
}

export function createOperations(services: SubscriptionServices): Operations {
  const { pipeline } = services;

  /** What graphql-ws runs, as `execute` and `subscribe` below take it; or the errors of an operation that is refused. */
  function prepare(
    { extra: connection, subscriptions }: ConnectionContext<Params, Connection>,
    id: string,
    params: SubscribePayload,
  ): ExecutionArgs | readonly GraphQLError[] {
    // Operations that the client has completed no longer count, but take a while to end: as many of them may be open.
    if (
      Object.keys(subscriptions).length > LIMITS.operationsPerSocket ||
      connection.order.underWay > 2 * LIMITS.operationsPerSocket
    )
      return [tooManyOperations()];
    const { query, operationName, variables: variableValues } = params;
    const document = pipeline.prepare(query);
    if (!isAccepted(document)) return document;
    const operation = getOperationAST(document, operationName);
    if (!operation) return [noSuchOperation(operationName)];
    // graphql-ws keeps this until the operation has ended: the text is shared by all operations with this document.
    Object.assign(params, { query: document.loc?.source.body ?? query });
    const args = { document, operationName, variableValues, contextValue: pipeline.contextOf(connection) };
    const rootValue: Single | SocketSubscription =
      operation.operation === 'subscription'
        ? new SocketSubscription(services, connection, id, params, args)
        : { connection, args };
    return { schema: pipeline.schema, document, operationName, contextValue: null, rootValue };
  }

  /** Keeps in mind what a socket waits for. */
  async function answer({ connection, args }: Single): Promise<ExecutionResult> {
    const result = pipeline.execute(args);
    connection.answers ??= new Set();
    connection.answers.add(result);
    try {
      return await result;
    } finally {
      connection.answers.delete(result);
    }
  }

  const hooks: OperationHooks = {
    onSubscribe(context, id, params) {
      const prepared = prepare(context, id, params);
      if ('rootValue' in prepared) return prepared;
      const errors = prepared as readonly GraphQLError[];
      pipeline.refused(params, errors);
      return [...errors];
    },
    // Both as `onSubscribe` has put them there: graphql-ws takes one function for all.
    execute: ({ rootValue }) => answer(rootValue as Single),
    subscribe: ({ rootValue }) => rootValue as SocketSubscription,
    onNext: (_context, _id, _params, _args, { data, errors }) =>
      errors && { ...(data === undefined ? {} : { data }), errors: errors.map(formatError) },
    // A failure of a stream arrives wrapped once more: the inner one has the place.
    onError: (_context, _id, _params, errors) =>
      errors.map((error) =>
        formatError(error.originalError instanceof GraphQLError ? error.originalError : error),
      ),
  };

  return {
    hooks,
    async answered({ answers }) {
      const patience = new AbortController();
      await Promise.race([
        Promise.allSettled(answers ?? []),
        sleep(ANSWER_TIMEOUT_MS, undefined, { signal: patience.signal }).catch(() => {}),
      ]);
      patience.abort();
      // graphql-ws sends what it was given in the steps that follow.
      await nextTurn();
    },
  };
}

/** A query or a mutation. */
interface Single {
  readonly connection: Connection;
  readonly args: OperationArgs;
}

function noSuchOperation(name: string | null | undefined): GraphQLError {
  const message =
    name == null ? 'Several operations need an operationName.' : `There is no operation named "${name}".`;
  return new GraphQLError(message, { extensions: { code: 'BAD_USER_INPUT' satisfies ErrorCode } });
}

function tooManyOperations(): GraphQLError {
  const message = `At most ${LIMITS.operationsPerSocket} operations may be under way on one socket.`;
  return new GraphQLError(message, { extensions: { code: 'LIMIT_EXCEEDED' satisfies ErrorCode } });
}
