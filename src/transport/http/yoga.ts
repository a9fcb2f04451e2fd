import type { IncomingMessage, ServerResponse } from 'node:http';
import { GraphQLError } from 'graphql';
import { createYoga, isAsyncIterable, type Plugin } from 'graphql-yoga';
import type { Log } from '../../domain/ports.js';
import { type ErrorCode, toGraphQLError } from '../../graphql/errors.js';
import { LIMITS } from '../../graphql/limits.js';
import type { OperationArgs, Pipeline } from '../../graphql/pipeline.js';
import type { ClientOf } from './client.js';

export const GRAPHQL_PATH = '/graphql';

/** What the HTTP server hands to Yoga. */
export interface YogaContext {
  readonly req: IncomingMessage;
  readonly res?: ServerResponse;
  /** Called when the request turns out to be a subscription, before it starts. */
  readonly onSubscription?: () => void;
}

export interface YogaServices {
  readonly pipeline: Pipeline;
  readonly clientOf: ClientOf;
  readonly log: Log;
}

/**
 * Yoga as an HTTP adapter of the pipeline: it knows the forms of requests and of answers (GraphQL over HTTP, server-sent
 * events); documents, contexts, execution and errors are the pipeline's.
 */
export function createYogaAdapter({ pipeline, clientOf, log }: YogaServices) {
  return createYoga<YogaContext>({
    schema: pipeline.schema,
    graphqlEndpoint: GRAPHQL_PATH,
    // Served by `graphiql/`, self-contained; Yoga's own loads from a CDN.
    graphiql: false,
    landingPage: false,
    logging: false,
    multipart: false,
    maxRequestBodySize: LIMITS.requestBytes,
    // For what fails before it reaches the pipeline.
    maskedErrors: { maskError: (error) => toGraphQLError(error, log) },
    // Set by the HTTP server, for every answer.
    cors: false,
    // The pipeline caches documents, bounded by size.
    parserAndValidationCache: false,
    context: async ({ req }) => pipeline.contextOf(await clientOf(req)),
    plugins: [
      onlyJsonBodies,
      throughPipeline(pipeline),
      endWithConnection,
      ...(pipeline.hooks ? [reportRefusals(pipeline)] : []),
    ],
  });
}

export type YogaAdapter = ReturnType<typeof createYogaAdapter>;

function throughPipeline(pipeline: Pipeline): Plugin {
  return {
    onParse({ setParseFn }) {
      setParseFn(pipeline.parse);
    },
    onValidate({ setValidationFn }) {
      setValidationFn((_schema, document) => pipeline.validate(document));
    },
    onExecute({ setExecuteFn }) {
      setExecuteFn((args) => pipeline.execute(args as OperationArgs));
    },
    onSubscribe({ setSubscribeFn }) {
      setSubscribeFn((args) => pipeline.subscribe(args as OperationArgs));
    },
  };
}

/** Reports every request that is refused before its operation reaches the pipeline: by Yoga, or for its document. */
function reportRefusals(pipeline: Pipeline): Plugin {
  const names = new WeakMap<Request, unknown>();
  const executed = new WeakSet<Request>();
  return {
    onParams({ request, params }) {
      names.set(request, params.operationName);
    },
    onExecute({ args }) {
      executed.add(args.contextValue.request);
    },
    onSubscribe({ args }) {
      executed.add(args.contextValue.request);
    },
    onResultProcess({ request, result }) {
      if (executed.has(request) || !('errors' in result) || !result.errors) return;
      pipeline.refused({ operationName: names.get(request) }, result.errors);
    },
  };
}

/** Forms of other sites can post any type but this one without a preflight: nothing else is executed. */
const onlyJsonBodies: Plugin = {
  onRequestParse({ request }) {
    if (request.method !== 'POST') return;
    const type = request.headers.get('content-type')?.split(';')[0]?.trim().toLowerCase();
    if (type !== 'application/json')
      throw new GraphQLError('Send the operation as application/json.', {
        extensions: { code: 'BAD_USER_INPUT' satisfies ErrorCode, http: { status: 415 } },
      });
  },
};

/**
 * Ends a stream with its connection, also if the client left while its subscription started: Yoga then hands the answer
 * to nobody, and would leave the subscription open.
 */
const endWithConnection: Plugin<YogaContext, YogaContext> = {
  onSubscribe({ args: { contextValue } }) {
    contextValue.onSubscription?.();
  },
  onExecutionResult({ result, context }) {
    if (!context.res || !isAsyncIterable(result)) return;
    const { res } = context;
    const iterator = result[Symbol.asyncIterator]();
    // A failure after the end concerns nobody.
    const end = () => void Promise.resolve(iterator.return?.()).catch(() => {});
    if (res.destroyed) end();
    else res.once('close', end);
  },
};
