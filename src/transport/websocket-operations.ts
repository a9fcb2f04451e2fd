import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { type ExecutionArgs, type ExecutionResult, GraphQLError, getOperationAST } from 'graphql';
import type { Context as ConnectionContext, ServerOptions, SubscribePayload } from 'graphql-ws';
import type { Log } from '../domain/ports.js';
import type { Context } from '../graphql/context.js';
import { type ErrorCode, toGraphQLError } from '../graphql/errors.js';
import { sharingOf } from '../graphql/sharing.js';
import type { Connection } from './connection.js';
import type { Fanout } from './fanout.js';
import { LIMITS } from './limits.js';
import { formatError } from './payload.js';
import type { GraphQLPipeline } from './yoga.js';

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
const ANSWER_MS = 5000;

export interface Operations {
  /** How graphql-ws runs one operation: through the same pipeline as HTTP. */
  readonly hooks: OperationHooks;
  /** Resolves when the socket's queries and mutations that are under way now have been answered, or after 5 s. */
  answered(connection: Connection): Promise<void>;
}

export function createOperations({ graphql, fanout, log }: OperationServices): Operations {
  /** Keeps in mind what a socket waits for. */
  async function answer(connection: Connection, result: Promise<ExecutionResult>): Promise<ExecutionResult> {
    connection.answers ??= new Set();
    connection.answers.add(result);
    try {
      return await result;
    } finally {
      connection.answers.delete(result);
    }
  }

  /** As Yoga does for HTTP; all mistakes are returned, since what is thrown would close the socket. */
  async function onSubscribe(
    { extra, subscriptions }: ConnectionContext<Params, Connection>,
    id: string,
    params: SubscribePayload,
  ): Promise<ExecutionArgs | GraphQLError[]> {
    // Those that the client has completed count no more, but their ends take a while: as many of them may be open.
    if (
      Object.keys(subscriptions).length > LIMITS.operationsPerSocket ||
      extra.order.underWay > 2 * LIMITS.operationsPerSocket
    )
      return [tooManyOperations()];
    try {
      const { authentication } = extra;
      const { schema, parse, validate, contextFactory, execute, subscribe } = graphql.getEnveloped({
        client: extra,
        params,
      });
      const viewerId = authentication.kind === 'viewer' ? authentication.viewer.userId : null;
      const document = parse(params.query);
      const errors = validate(schema, document);
      if (errors.length > 0) return [...errors];
      const contextValue = await contextFactory();
      const args: ExecutionArgs = {
        schema,
        document,
        operationName: params.operationName,
        variableValues: params.variables,
        contextValue,
      };
      if (getOperationAST(document, params.operationName)?.operation === 'subscription' && viewerId !== null)
        // As `createContext` made it; Yoga's types know only what it was made of.
        (contextValue as unknown as Context).live = fanout.liveFor({
          id,
          outbox: extra.outbox,
          ...sharingOf({ schema, document, viewerId, ...params }),
          args,
        });
      // graphql-ws takes one `execute` for all; the enveloped ones are made for each operation.
      return { ...args, rootValue: { execute, subscribe, connection: extra } };
    } catch (error) {
      return [toGraphQLError(error, log)];
    }
  }

  const hooks: OperationHooks = {
    onSubscribe,
    execute: (args) => answer(enveloped(args).connection, enveloped(args).execute(withoutRoot(args))),
    async subscribe(args) {
      const result = await enveloped(args).subscribe(withoutRoot(args));
      return isStream(result) ? result : failing(result);
    },
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
        sleep(ANSWER_MS, undefined, { signal: patience.signal }).catch(() => {}),
      ]);
      patience.abort();
      // graphql-ws sends what it was given in the steps that follow.
      await nextTurn();
    },
  };
}

interface Enveloped {
  readonly connection: Connection;
  execute(args: ExecutionArgs): Promise<ExecutionResult>;
  subscribe(args: ExecutionArgs): Promise<AsyncIterable<ExecutionResult> | ExecutionResult>;
}

/** What `onSubscribe` put there. */
function enveloped(args: ExecutionArgs): Enveloped {
  return args.rootValue as Enveloped;
}

function withoutRoot({ rootValue: _, ...args }: ExecutionArgs): ExecutionArgs {
  return args;
}

function isStream(
  result: AsyncIterable<ExecutionResult> | ExecutionResult,
): result is AsyncIterable<ExecutionResult> {
  return Symbol.asyncIterator in result;
}

/** A subscription that could not start ends with the protocol's `error`, like one that could not go on. */
// biome-ignore lint/correctness/useYield: a stream whose first step fails.
async function* failing({ errors }: ExecutionResult): AsyncGenerator<ExecutionResult> {
  throw errors?.[0] ?? new GraphQLError('The subscription could not start.');
}

function tooManyOperations(): GraphQLError {
  const message = `At most ${LIMITS.operationsPerSocket} operations may be under way on one socket.`;
  return new GraphQLError(message, { extensions: { code: 'LIMIT_EXCEEDED' satisfies ErrorCode } });
}
