import type { IncomingMessage, ServerResponse } from 'node:http';
import {
  type DocumentNode,
  type ExecutionArgs,
  type ExecutionResult,
  execute,
  GraphQLError,
  NoSchemaIntrospectionCustomRule,
} from 'graphql';
import { createYoga, isAsyncIterable, type Plugin } from 'graphql-yoga';
import { LRUCache } from 'lru-cache';
import type { Tokens } from '../../auth/tokens.js';
import type { Config } from '../../config.js';
import type { Log } from '../../domain/ports.js';
import type { Authentication } from '../../domain/user.js';
import { type Context, createContext, type Services } from '../../graphql/context.js';
import { type ErrorCode, toGraphQLError } from '../../graphql/errors.js';
import { documentLimits, LIMITS } from '../../graphql/limits.js';
import { schema } from '../../graphql/schema/index.js';
import { useSubscriptionEvents } from '../../graphql/subscribe.js';
import { authenticateRequest } from '../auth.js';
import { clientAddress } from './address.js';

/** What the transports hand to Yoga. Over WebSocket the connection has told who asks, over HTTP each request does. */
export type ServerContext = HttpContext | WebSocketContext;

interface HttpContext {
  readonly req: IncomingMessage;
  readonly res?: ServerResponse;
  /** Told when the request turns out to be a subscription, before it starts. */
  readonly onSubscription?: () => void;
}

interface WebSocketContext {
  readonly client: Client;
}

/** Who asks, and from where. */
export interface Client {
  readonly authentication: Authentication;
  readonly address: string;
}

export interface YogaServices {
  readonly config: Config;
  readonly services: Services;
  readonly tokens: Tokens;
  readonly log: Log;
}

export const GRAPHQL_PATH = '/graphql';

/**
 * Documents that are kept with what parsing and validation made of them, at most, and the length of their texts in all.
 * Those of one app are few. Parsed, a text takes up to fifty times its length.
 */
const MAX_CACHED_DOCUMENTS = 1024;
const MAX_CACHED_DOCUMENT_CHARACTERS = 1024 * 1024;

/** The pipeline in its parts, for queries and mutations: nothing is done for each that can be done once for its document. */
export interface Direct {
  /** The document, parsed, within its limits and valid; else all that is wrong with it. Known ones cost nothing. */
  prepare(query: string): DocumentNode | readonly GraphQLError[];
  /** Who asks over HTTP. */
  clientOf(request: IncomingMessage): Promise<Client>;
  /** What resolvers work with. */
  contextOf(client: Client): Context;
  /** Executes a query or mutation that was prepared; errors are as clients may see them. */
  execute(args: Omit<ExecutionArgs, 'schema'>): Promise<ExecutionResult>;
}

/** One pipeline for all three transports: the same parsing, limits, context, execution and masking of errors. */
export function createGraphQL({ config, services, tokens, log }: YogaServices) {
  async function clientOf(request: IncomingMessage): Promise<Client> {
    return {
      authentication: await authenticateRequest(tokens, request),
      address: clientAddress(request, config.trustedProxies),
    };
  }

  const contextOf = ({ authentication, address }: Client): Context =>
    createContext(services, authentication, address);

  const yoga = createYoga<ServerContext>({
    schema,
    graphqlEndpoint: GRAPHQL_PATH,
    // Served by us, self-contained; Yoga's own loads from a CDN.
    graphiql: false,
    landingPage: false,
    logging: false,
    multipart: false,
    maxRequestBodySize: LIMITS.requestBytes,
    maskedErrors: { maskError: (error) => toGraphQLError(error, log) },
    // By us, for what does not come here too.
    cors: false,
    // By us too, bounded by size: see `known`.
    parserAndValidationCache: false,
    context: async (context) => contextOf('client' in context ? context.client : await clientOf(context.req)),
    plugins: [
      onlyJsonBodies,
      ...documentLimits(),
      ...(config.introspection ? [] : [noIntrospection]),
      codedErrors,
      useSubscriptionEvents(),
      endWithConnection,
    ],
  });

  const known = new LRUCache<string, DocumentNode>({
    max: MAX_CACHED_DOCUMENTS,
    maxSize: MAX_CACHED_DOCUMENT_CHARACTERS,
    sizeCalculation: (_document, query) => query.length,
  });
  const direct: Direct = {
    prepare(query) {
      const found = known.get(query);
      if (found) return found;
      const { parse, validate } = yoga.getEnveloped();
      try {
        const document: DocumentNode = parse(query);
        const errors: readonly GraphQLError[] = validate(schema, document);
        if (errors.length > 0) return errors;
        known.set(query, document);
        return document;
      } catch (error) {
        return [toGraphQLError(error, log)];
      }
    },
    clientOf,
    contextOf,
    async execute(args) {
      const result = await execute({ schema, ...args });
      if (!result.errors) return result;
      const errors = result.errors.map((error) => toGraphQLError(error, log));
      // Nothing was executed, since a variable is wrong, say. The status is what Yoga's own executor gives.
      if (!('data' in result)) for (const error of errors) error.extensions.http = { status: 400 };
      return { ...result, errors };
    },
  };
  return { yoga, direct };
}

export type GraphQLPipeline = ReturnType<typeof createGraphQL>;

/** Forms of other sites can post anything but this type without asking first: so nothing else is executed. */
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
 * A stream ends with its connection, also where the client left while its subscription started: Yoga then hands the
 * answer to nobody, and would leave the subscription open.
 */
const endWithConnection: Plugin<ServerContext, ServerContext> = {
  onSubscribe({ args: { contextValue } }) {
    if ('req' in contextValue) contextValue.onSubscription?.();
  },
  onExecutionResult({ result, context }) {
    if (!('req' in context) || !context.res || !isAsyncIterable(result)) return;
    const { res } = context;
    const iterator = result[Symbol.asyncIterator]();
    // What it may still fail with is nobody's any more.
    const end = () => void Promise.resolve(iterator.return?.()).catch(() => {});
    if (res.destroyed) end();
    else res.once('close', end);
  },
};

const noIntrospection: Plugin = {
  onValidate({ addValidationRule }) {
    addValidationRule(NoSchemaIntrospectionCustomRule);
  },
};

/** GraphQL's own mistakes carry one of our documented codes too. */
const codedErrors: Plugin = {
  onParse:
    () =>
    ({ result }) => {
      if (result instanceof GraphQLError) {
        result.extensions.code ??= 'BAD_USER_INPUT' satisfies ErrorCode;
        result.extensions.http ??= { status: 400, spec: true };
      }
    },
  onValidate:
    () =>
    ({ valid, result }) => {
      if (!valid) for (const error of result) error.extensions.code ??= 'BAD_USER_INPUT' satisfies ErrorCode;
    },
};
