import type { IncomingMessage, ServerResponse } from 'node:http';
import { GraphQLError, NoSchemaIntrospectionCustomRule } from 'graphql';
import { createYoga, isAsyncIterable, type Plugin } from 'graphql-yoga';
import type { Tokens } from '../auth/tokens.js';
import type { Config } from '../config.js';
import type { Log } from '../domain/ports.js';
import type { Authentication } from '../domain/user.js';
import { createContext, type Services } from '../graphql/context.js';
import { type ErrorCode, toGraphQLError } from '../graphql/errors.js';
import { schema } from '../graphql/schema.js';
import { useSubscriptionEvents } from '../graphql/subscribe.js';
import { clientAddress } from './address.js';
import { authenticateRequest } from './auth.js';
import { documentLimits, LIMITS } from './limits.js';
import { isAllowedOrigin } from './origins.js';

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

/** One pipeline for all three transports: the same parsing, limits, context, execution and masking of errors. */
export function createGraphQL({ config, services, tokens, log }: YogaServices) {
  async function clientOf(request: IncomingMessage): Promise<Client> {
    return {
      authentication: await authenticateRequest(tokens, request),
      address: clientAddress(request, config.trustedProxies),
    };
  }

  return createYoga<ServerContext>({
    schema,
    graphqlEndpoint: GRAPHQL_PATH,
    // Served by us, self-contained; Yoga's own loads from a CDN.
    graphiql: false,
    landingPage: false,
    logging: false,
    multipart: false,
    // Yoga's own limit pipes every body through a stream: see `boundedBodies`.
    maxRequestBodySize: false,
    maskedErrors: { maskError: (error) => toGraphQLError(error, log) },
    cors: (request) => {
      const origin = request.headers.get('origin');
      const host = request.headers.get('host') ?? undefined;
      return origin !== null && isAllowedOrigin(config.allowedOrigins, origin, host)
        ? {
            origin: [origin],
            // Tokens travel in a header of the app's own: cookies are never read.
            credentials: false,
            methods: ['GET', 'POST'],
            allowedHeaders: ['authorization', 'content-type', 'accept'],
            maxAge: 600,
          }
        : false;
    },
    async context(context) {
      const { authentication, address } = 'client' in context ? context.client : await clientOf(context.req);
      return createContext(services, authentication, address);
    },
    plugins: [
      onlyJsonBodies,
      boundedBodies,
      ...documentLimits(),
      ...(config.introspection ? [] : [noIntrospection]),
      codedErrors,
      useSubscriptionEvents(),
      endWithConnection,
    ],
  });
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
 * A body whose length is told is refused by that, and Node reads no more than was told. Only one that comes in chunks has to
 * be counted.
 */
const boundedBodies: Plugin<object, ServerContext> = {
  onRequestParse({ request, serverContext, requestParser, setRequestParser, fetchAPI }) {
    const length = serverContext.req.headers['content-length'];
    if (Number(length) > LIMITS.requestBytes) throw tooLargeBody();
    if (length !== undefined || request.method !== 'POST' || !requestParser) return;
    setRequestParser(async ({ url, method, headers, signal }) => {
      const body = await readBody(serverContext.req);
      return requestParser(new fetchAPI.Request(url, { method, headers, signal, body }));
    });
  },
};

/** @throws GraphQLError where there is more of it than may be; the rest is thrown away. */
async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request.iterator({ destroyOnReturn: false })) {
    bytes += chunk.length;
    if (bytes > LIMITS.requestBytes) break;
    chunks.push(chunk);
  }
  if (bytes <= LIMITS.requestBytes) return Buffer.concat(chunks).toString();
  request.resume();
  throw tooLargeBody();
}

function tooLargeBody(): GraphQLError {
  const message = `The body has more than ${LIMITS.requestBytes} bytes.`;
  return new GraphQLError(message, {
    extensions: { code: 'LIMIT_EXCEEDED' satisfies ErrorCode, http: { status: 413 } },
  });
}

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
