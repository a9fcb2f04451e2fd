import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { type ExecutionArgs, type ExecutionResult, GraphQLError, getOperationAST } from 'graphql';
import type { Context as ConnectionContext, ServerOptions, SubscribePayload } from 'graphql-ws';
import type { Log } from '../../domain/ports.js';
import { type ErrorCode, formatError, toGraphQLError } from '../../graphql/errors.js';
import { LIMITS } from '../../graphql/limits.js';
import { schema } from '../../graphql/schema/index.js';
import type { GraphQLPipeline } from '../http/yoga.js';
import type { Connection } from './connection.js';
import type { Fanout } from './fanout.js';
import { type Prepared, SocketSubscription } from './subscription.js';

/** The payload of `connection_init`. */
export type Params = Record<string, unknown>;

export interface OperationServices {
  readonly graphql: GraphQLPipeline;
  readonly fanout: Fanout;
  readonly log: Log;
}

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

export function createOperations({ graphql, fanout, log }: OperationServices): Operations {
  /** For the pipeline's `subscribe`. All mistakes are returned, since what is thrown would close the socket. */
  async function prepare(
    client: Connection,
    params: SubscribePayload,
  ): Promise<Prepared | readonly GraphQLError[]> {
    const { query, operationName, variables: variableValues } = params;
    const document = graphql.direct.prepare(query);
    if (!('definitions' in document)) return document;
    try {
      const { contextFactory, subscribe } = graphql.yoga.getEnveloped({ client, params });
      const contextValue = await contextFactory();
      return { args: { schema, document, operationName, variableValues, contextValue }, subscribe };
    } catch (error) {
      return [toGraphQLError(error, log)];
    }
  }

  const subscriptionServices = { fanout, prepare };

  async function onSubscribe(
    { extra: connection, subscriptions }: ConnectionContext<Params, Connection>,
    id: string,
    params: SubscribePayload,
  ): Promise<ExecutionArgs | GraphQLError[]> {
    // Those that the client has completed count no more, but their ends take a while: as many of them may be open.
    if (
      Object.keys(subscriptions).length > LIMITS.operationsPerSocket ||
      connection.order.underWay > 2 * LIMITS.operationsPerSocket
    )
      return [tooManyOperations()];
    const { query, operationName, variables: variableValues } = params;
    const document = graphql.direct.prepare(query);
    if (!('definitions' in document)) return [...document];
    // What graphql-ws keeps until the operation has ended: the text is that of all alike, and of the rest only what it needs.
    Object.assign(params, { query: document.loc?.source.body ?? query });
    const rest = { schema, document, operationName, contextValue: null };
    const operation = getOperationAST(document, operationName);
    if (!operation) return [noSuchOperation(operationName)];
    if (operation.operation !== 'subscription') {
      const contextValue = graphql.direct.contextOf(connection);
      const args = { document, operationName, variableValues, contextValue };
      return { ...rest, rootValue: { connection, args } satisfies Single };
    }
    const prepared = await prepare(connection, params);
    if (!('args' in prepared)) return [...prepared];
    return {
      ...rest,
      rootValue: new SocketSubscription(subscriptionServices, connection, id, params, prepared),
    };
  }

  /** Keeps in mind what a socket waits for. */
  async function answer({ connection, args }: Single): Promise<ExecutionResult> {
    const result = graphql.direct.execute(args);
    connection.answers ??= new Set();
    connection.answers.add(result);
    try {
      return await result;
    } finally {
      connection.answers.delete(result);
    }
  }

  const hooks: OperationHooks = {
    onSubscribe,
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
  readonly args: Omit<ExecutionArgs, 'schema'>;
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
