import type { IncomingMessage, ServerResponse } from 'node:http';
import { GraphQLError } from 'graphql';
import { createYoga, isAsyncIterable, type Plugin } from 'graphql-yoga';
import type { Log } from '../../domain/ports.js';
import { type ErrorCode, toGraphQLError } from '../../graphql/errors.js';
import type { Client } from '../../graphql/limits/admission.js';
import { REQUEST_LIMITS } from '../../graphql/limits/request.js';
import type { OperationArgs, Pipeline } from '../../graphql/pipeline.js';
import { EVENT_STREAM_TYPE, isJsonType, JSON_TYPE, mediaTypeOf } from './negotiation.js';
import { GRAPHQL_PATH } from './paths.js';

/** The context that the HTTP server passes to Yoga. */
export interface YogaContext {
  readonly req: IncomingMessage;
  readonly res?: ServerResponse;
  readonly client: Client;
  /** Called before a subscription starts. */
  readonly onSubscription?: () => void;
}

export interface YogaServices {
  readonly pipeline: Pipeline;
  readonly log: Log;
}

/**
 * Creates an HTTP adapter of the pipeline. Yoga parses requests and formats responses (GraphQL over HTTP, server-sent
 * events); the pipeline owns documents, contexts, execution and errors.
 */
export function createYogaAdapter({ pipeline, log }: YogaServices) {
  return createYoga<YogaContext>({
    schema: pipeline.schema,
    graphqlEndpoint: GRAPHQL_PATH,
    // `transport/graphiql` serves a self-contained page; Yoga's own loads scripts from a CDN.
    graphiql: false,
    landingPage: false,
    logging: false,
    multipart: false,
    maxRequestBodySize: REQUEST_LIMITS.requestBytes,
    // For errors outside of the pipeline, such as a malformed request.
    maskedErrors: { maskError: (error) => toGraphQLError(withoutParserError(error), log) },
    // The HTTP server sets the CORS headers of every response.
    cors: false,
    // The pipeline caches documents itself, bounded by number and size.
    parserAndValidationCache: false,
    context: ({ client, res }) => pipeline.contextOf(client, () => res?.destroyed === true),
    plugins: [
      onlyJsonBodies,
      onlyJsonParameters,
      onlyEventStreams,
      unbuffered,
      throughPipeline(pipeline),
      endWithConnection,
      ...(pipeline.hooks ? [reportRejections(pipeline)] : []),
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

/** Reports requests that are rejected before their execution, by Yoga or because of their document, to the hooks. */
function reportRejections(pipeline: Pipeline): Plugin<object, YogaContext> {
  const names = new WeakMap<Request, unknown>();
  const clients = new WeakMap<Request, Client>();
  const executed = new WeakSet<Request>();
  return {
    onRequest({ request, serverContext }) {
      clients.set(request, serverContext.client);
    },
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
      const rejected = { operationName: names.get(request), client: clients.get(request) };
      pipeline.reportRejected(rejected, result.errors);
    },
  };
}

/** Prevents cross-site request forgery: a form of another site cannot post JSON without a CORS preflight. */
const onlyJsonBodies: Plugin = {
  onRequestParse({ request }) {
    if (request.method !== 'POST') return;
    if (mediaTypeOf(request.headers.get('content-type') ?? undefined) !== JSON_TYPE)
      throw refusal(415, 'Unsupported content type: send the operation as application/json.');
  },
};

/**
 * Checks the parameters of a GET request that hold JSON. Like Yoga, which fails if one of them does not, it takes everything
 * after the first `?` for parameters: a URL would end them at a `#`.
 */
const onlyJsonParameters: Plugin = {
  onRequestParse({ request }) {
    if (request.method !== 'GET') return;
    const parameters = new URLSearchParams(request.url.slice(request.url.indexOf('?') + 1));
    for (const name of ['variables', 'extensions'])
      try {
        JSON.parse(parameters.get(name) || 'null');
      } catch {
        throw refusal(400, `The parameter \`${name}\` is not valid JSON: send an object, URL-encoded.`);
      }
  },
};

/** Rejects a subscription whose client does not accept an event stream, before the subscription starts. */
const onlyEventStreams: Plugin = {
  onSubscribe({ args: { contextValue }, setResultAndStopExecution }) {
    const { headers }: Request = contextValue.request;
    const accept = headers.get('accept');
    if (accept?.includes(EVENT_STREAM_TYPE)) return;
    // Yoga would have no form for the error.
    if (!accept || !isJsonType(accept)) headers.set('accept', JSON_TYPE);
    const message = `A subscription needs a stream: accept ${EVENT_STREAM_TYPE} (server-sent events), or use WebSocket (graphql-ws) on the same URL.`;
    setResultAndStopExecution({ errors: [refusal(406, message)] });
  },
};

/** Yoga adds the error of the JSON parser, which repeats the body, to its own. Its form also makes Yoga respond with 400. */
function withoutParserError(error: unknown): unknown {
  if (!(error instanceof GraphQLError) || !('originalError' in error.extensions)) return error;
  return new GraphQLError(error.message, { extensions: { http: { status: 400 } } });
}

function refusal(status: number, message: string): GraphQLError {
  return new GraphQLError(message, {
    extensions: { code: 'BAD_USER_INPUT' satisfies ErrorCode, http: { status } },
  });
}

/** nginx buffers responses, and some proxies compress them, unless the response says otherwise. */
const unbuffered: Plugin = {
  onResponse({ response }) {
    if (!response.headers.get('content-type')?.startsWith(EVENT_STREAM_TYPE)) return;
    response.headers.set('cache-control', 'no-cache, no-transform');
    response.headers.set('x-accel-buffering', 'no');
  },
};

/**
 * Ends a stream of results when its connection closes. If the client disconnects while its subscription starts, Yoga drops
 * the response and would leave the subscription open.
 */
const endWithConnection: Plugin<YogaContext, YogaContext> = {
  onSubscribe({ args: { contextValue } }) {
    contextValue.onSubscription?.();
  },
  onExecutionResult({ result, context }) {
    if (!context.res || !isAsyncIterable(result)) return;
    const { res } = context;
    const iterator = result[Symbol.asyncIterator]();
    // After the end, an error has no recipient.
    const end = () => void Promise.resolve(iterator.return?.()).catch(() => {});
    if (res.destroyed) end();
    else res.once('close', end);
  },
};
