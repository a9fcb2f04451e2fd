import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { type ExecutionArgs, type ExecutionResult, GraphQLError, getOperationAST } from 'graphql';
import type { Context as ConnectionContext, ServerOptions, SubscribePayload } from 'graphql-ws';
import type { Log } from '../../domain/ports.js';
import { isAccepted } from '../../graphql/documents.js';
import { type ErrorCode, formatError, toGraphQLError } from '../../graphql/errors.js';
import { REQUEST_LIMITS } from '../../graphql/limits/request.js';
import type { OperationArgs } from '../../graphql/pipeline.js';
import type { Connection } from './connection.js';
import { SocketSubscription, type SubscriptionServices } from './subscription.js';

/** The payload of `connection_init`. */
export type Params = Record<string, unknown>;

type OperationHooks = Pick<
  ServerOptions<Params, Connection>,
  'onSubscribe' | 'execute' | 'subscribe' | 'onNext' | 'onError'
>;

/** How long queries and mutations in progress may take when their socket is about to be closed, in ms. */
const RESULT_TIMEOUT_MS = 5000;

export interface Operations {
  /** Options of graphql-ws that run each operation through the pipeline. */
  readonly hooks: OperationHooks;
  /** Resolves when the results of the connection's pending queries and mutations are sent, or after 5 s. */
  resultsSent(connection: Connection): Promise<void>;
}

export function createOperations(services: SubscriptionServices, log: Log): Operations {
  const { pipeline } = services;

  /** Prepares the args that graphql-ws passes to `execute` or `subscribe` below, or the errors of a rejected operation. */
  function prepare(
    { extra: connection, subscriptions }: ConnectionContext<Params, Connection>,
    id: string,
    params: SubscribePayload,
  ): ExecutionArgs | readonly GraphQLError[] {
    const { query, operationName, variables: variableValues } = params;
    const document = pipeline.prepare(query);
    if (!isAccepted(document)) return document;
    const operation = getOperationAST(document, operationName);
    if (!operation) return [operationNotFound(operationName)];
    // graphql-ws retains `params` until the operation is over: share the text with the cached document.
    Object.assign(params, { query: document.loc?.source.body ?? query });
    const isGone = (): boolean => !connection.isOpen || !(id in subscriptions);
    const contextValue = pipeline.contextOf(connection, isGone);
    const args = { document, operationName, variableValues, contextValue };
    const rootValue: SingleResultOperation | SocketSubscription =
      operation.operation === 'subscription'
        ? new SocketSubscription(services, connection, id, params, args)
        : { connection, args };
    return { schema: pipeline.schema, document, operationName, contextValue: null, rootValue };
  }

  /** The errors of an operation that is too many; null if it is not. */
  async function refuse(
    { extra: connection, subscriptions }: ConnectionContext<Params, Connection>,
    { query }: SubscribePayload,
  ): Promise<readonly GraphQLError[] | null> {
    // Operations that the client has completed do not count, but may take a while to end: the same number may be ending.
    if (
      Object.keys(subscriptions).length > REQUEST_LIMITS.operationsPerSocket ||
      connection.order.inProgress > 2 * REQUEST_LIMITS.operationsPerSocket
    )
      return [tooManyOperations()];
    try {
      await pipeline.admit(connection, query.length);
      return null;
    } catch (error) {
      return [toGraphQLError(error, log)];
    }
  }

  /** Executes a query or mutation, which is pending on its connection until it ends. */
  async function execute({ connection, args }: SingleResultOperation): Promise<ExecutionResult> {
    const result = pipeline.execute(args);
    connection.pendingResults ??= new Set();
    connection.pendingResults.add(result);
    try {
      return await result;
    } finally {
      connection.pendingResults.delete(result);
    }
  }

  const hooks: OperationHooks = {
    async onSubscribe(context, id, params) {
      const prepared = (await refuse(context, params)) ?? prepare(context, id, params);
      if ('rootValue' in prepared) return prepared;
      const errors = prepared as readonly GraphQLError[];
      pipeline.reportRejected({ operationName: params.operationName, client: context.extra }, errors);
      return [...errors];
    },
    // `prepare` has set `rootValue`, since graphql-ws has one `execute` and one `subscribe` for all operations.
    execute: ({ rootValue }) => execute(rootValue as SingleResultOperation),
    subscribe: ({ rootValue }) => rootValue as SocketSubscription,
    onNext: (_context, _id, _params, _args, { data, errors }) =>
      errors && { ...(data === undefined ? {} : { data }), errors: errors.map(formatError) },
    // graphql-ws wraps whatever a stream throws. The pipeline's errors are masked and have a path; any other is masked here.
    onError: (_context, _id, _params, errors) =>
      errors.map((error) =>
        formatError(
          toGraphQLError(error.originalError instanceof GraphQLError ? error.originalError : error, log),
        ),
      ),
  };

  return {
    hooks,
    async resultsSent({ pendingResults }) {
      const timeout = new AbortController();
      await Promise.race([
        Promise.allSettled(pendingResults ?? []),
        sleep(RESULT_TIMEOUT_MS, undefined, { signal: timeout.signal }).catch(() => {}),
      ]);
      timeout.abort();
      // graphql-ws sends a result in the microtasks after it.
      await nextTurn();
    },
  };
}

/** A query or a mutation: a single result operation in terms of the protocol. */
interface SingleResultOperation {
  readonly connection: Connection;
  readonly args: OperationArgs;
}

function operationNotFound(name: string | null | undefined): GraphQLError {
  const message =
    name == null
      ? 'The document contains several operations: set operationName to select one.'
      : `The document contains no operation named "${name}": set operationName to one that it contains.`;
  return new GraphQLError(message, { extensions: { code: 'BAD_USER_INPUT' satisfies ErrorCode } });
}

function tooManyOperations(): GraphQLError {
  const message = `Too many operations: at most ${REQUEST_LIMITS.operationsPerSocket} may be in progress on one socket. Complete one first, or open another socket.`;
  return new GraphQLError(message, { extensions: { code: 'LIMIT_EXCEEDED' satisfies ErrorCode } });
}
