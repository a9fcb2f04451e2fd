import type { IncomingMessage, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { type ExecutionResult, getOperationAST } from 'graphql';
import { processRegularResult } from 'graphql-yoga';
import { RateLimitedError } from '../../domain/errors.js';
import { isAccepted } from '../../graphql/documents.js';
import type { Client } from '../../graphql/limits/admission.js';
import { REQUEST_LIMITS } from '../../graphql/limits/request.js';
import type { Pipeline } from '../../graphql/pipeline.js';
import type { ClientOf } from './client.js';
import { acceptedTypes, EVENT_STREAM_TYPE, isJsonType, JSON_TYPE, mediaTypeOf } from './negotiation.js';
import { REFUSAL, sendRefusal, tooMany } from './refusals.js';
import type { YogaAdapter } from './yoga.js';

export interface GraphQLOverHttp {
  /**
   * Handles a request to the API.
   *
   * @param response may have headers already, which are kept.
   */
  handle(request: IncomingMessage, response: ServerResponse, observer: RequestObserver): Promise<void>;
}

/** What the server learns about a request while it is handled. */
export interface RequestObserver {
  /** Called when the sender is known. @throws RateLimitedError to refuse the request. */
  onClient(client: Client): void;
  /** Called before a subscription starts. */
  onSubscription(): void;
}

/** The parameters of a GraphQL request. Their form is checked; the document and the values of the variables are not. */
interface Params {
  readonly query: string;
  readonly variables?: Record<string, unknown> | null;
  readonly operationName?: string | null;
}

export interface GraphQLOverHttpParts {
  readonly pipeline: Pipeline;
  readonly yoga: YogaAdapter;
  readonly clientOf: ClientOf;
}

/**
 * GraphQL over HTTP. Most requests are valid queries and mutations, posted as JSON: they take a direct path that does only
 * the work a request needs. Yoga handles all others: GET, server-sent events, and malformed requests.
 */
export function createGraphQLOverHttp({ pipeline, yoga, clientOf }: GraphQLOverHttpParts): GraphQLOverHttp {
  /** @returns false, without any effect, if Yoga must handle the request. */
  async function handleDirectly(
    response: ServerResponse,
    type: string,
    params: Params,
    client: Client,
  ): Promise<boolean> {
    const { query, variables: variableValues, operationName } = params;
    const document = pipeline.prepare(query);
    if (!isAccepted(document)) return false;
    const operation = getOperationAST(document, operationName);
    if (!operation || operation.operation === 'subscription') return false;
    const contextValue = pipeline.contextOf(client, () => response.destroyed);
    const result = await pipeline.execute({ document, variableValues, operationName, contextValue });
    if (result.errors) await sendErrors(response, type, result);
    else send(response, 200, { 'content-type': `${type}; charset=utf-8` }, JSON.stringify(result));
    return true;
  }

  /** Sends a result with errors; its status depends on the errors and the type. */
  async function sendErrors(response: ServerResponse, type: string, result: ExecutionResult): Promise<void> {
    const rendered = processRegularResult(result, yoga.fetchAPI, type);
    send(response, rendered.status, Object.fromEntries(rendered.headers), await rendered.text());
  }

  return {
    async handle(request, response, { onClient, onSubscription }) {
      const { headers } = request;
      const { single, eventStream } = acceptedTypes(headers.accept);
      if (!single) return sendRefusal(response, REFUSAL.mediaType);
      const admit = async (characters: number): Promise<Client | null> => {
        const client = await clientOf(request);
        response.setHeader('x-request-id', client.requestId);
        try {
          onClient(client);
          await pipeline.admit(client, characters);
          return client;
        } catch (error) {
          if (!(error instanceof RateLimitedError)) throw error;
          sendRefusal(response, tooMany(error));
          return null;
        }
      };
      let client: Client | null;
      const isJson = mediaTypeOf(headers['content-type']) === JSON_TYPE;
      if (request.method === 'POST' && isJson) {
        const body = isTooLarge(request) ? null : await readBody(request);
        if (!body) return sendRefusal(response, REFUSAL.body);
        const params = parseParams(body);
        client = await admit(params?.query.length ?? body.length);
        if (!client) return;
        if (params && isJsonType(single) && (await handleDirectly(response, single, params, client))) return;
        // Yoga reads `body` if it is set, since the request itself has been consumed.
        Object.assign(request, { body: Readable.from([body]) });
      } else client = await admit(request.url?.length ?? 0);
      if (!client) return;
      // Yoga builds a URL from it, and would respond with a stack trace.
      if (headers.host !== undefined && !URL.canParse(`http://${headers.host}`))
        return sendRefusal(response, REFUSAL.host);
      // Yoga compares media types as texts and ignores qualities, so it gets the result of the comparison.
      headers.accept =
        eventStream && single !== EVENT_STREAM_TYPE ? `${single}, ${EVENT_STREAM_TYPE}` : single;
      if (isJson) headers['content-type'] = JSON_TYPE;
      await yoga.handle(request, response, { client, onSubscription });
    },
  };
}

function send(
  response: ServerResponse,
  status: number,
  headers: Readonly<Record<string, string>>,
  body: string,
): void {
  if (response.destroyed) return;
  response.writeHead(status, { ...headers, 'content-length': Buffer.byteLength(body) }).end(body);
}

/** Judged by Content-Length; chunked bodies have none. */
function isTooLarge({ headers }: IncomingMessage): boolean {
  return Number(headers['content-length'] ?? 0) > REQUEST_LIMITS.requestBytes;
}

/** Reads a body; null as soon as it is over the limit. Rejects if the client disconnects. */
function readBody(request: IncomingMessage): Promise<Buffer | null> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    request.on('data', (chunk: Buffer) => {
      if (bytes > REQUEST_LIMITS.requestBytes) return;
      chunks.push(chunk);
      bytes += chunk.length;
      if (bytes > REQUEST_LIMITS.requestBytes) resolve(null);
    });
    request.once('end', () => resolve(Buffer.concat(chunks)));
    request.once('error', reject);
  });
}

const KNOWN_PARAMS = new Set(['query', 'variables', 'operationName', 'extensions']);

/** Parses the parameters; null if they are malformed or have unknown members, which Yoga then reports. */
function parseParams(body: Buffer): Params | null {
  let params: unknown;
  try {
    params = JSON.parse(body.toString());
  } catch {
    return null;
  }
  if (!isObject(params) || typeof params.query !== 'string') return null;
  for (const name in params) if (!KNOWN_PARAMS.has(name)) return null;
  const { variables, operationName, extensions } = params;
  const isValid =
    (variables == null || isObject(variables)) &&
    (operationName == null || typeof operationName === 'string') &&
    (extensions == null || isObject(extensions));
  // All members of `Params` have been checked.
  return isValid ? (params as unknown as Params) : null;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
