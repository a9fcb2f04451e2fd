import type { IncomingMessage, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { type ExecutionResult, getOperationAST } from 'graphql';
import { processRegularResult } from 'graphql-yoga';
import { isAccepted } from '../../graphql/documents.js';
import { LIMITS } from '../../graphql/limits.js';
import type { Pipeline } from '../../graphql/pipeline.js';
import type { ClientOf } from './client.js';
import { resultType } from './negotiation.js';
import type { YogaAdapter } from './yoga.js';

export interface GraphQLOverHttp {
  /**
   * Answers a request for the API.
   *
   * @param headers of the answer, whatever it is.
   * @param onSubscription called when the request turns out to be a subscription, before it starts.
   */
  handle(
    request: IncomingMessage,
    response: ServerResponse,
    headers: Headers,
    onSubscription: () => void,
  ): Promise<void>;
}

type Headers = Readonly<Record<string, string>>;

/** A request for one operation, as far as its form goes. */
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
 * GraphQL over HTTP. Most requests are queries and mutations that are fine, posted as JSON: these take the direct way, where
 * nothing is done but what differs from one to the next. All others are Yoga's, with all that it knows of what may be
 * wrong with a request, and of other ways to ask.
 */
export function createGraphQLOverHttp({ pipeline, yoga, clientOf }: GraphQLOverHttpParts): GraphQLOverHttp {
  /** @returns false where the request is not for the direct way; nothing was done then. */
  async function answer(
    request: IncomingMessage,
    response: ServerResponse,
    headers: Headers,
    body: Buffer,
  ): Promise<boolean> {
    const type = resultType(request.headers.accept);
    const params = body.length > LIMITS.requestBytes ? null : paramsOf(body);
    if (!type || !params) return false;
    const { query, variables: variableValues, operationName } = params;
    const document = pipeline.prepare(query);
    if (!isAccepted(document)) return false;
    const operation = getOperationAST(document, operationName);
    if (!operation || operation.operation === 'subscription') return false;
    const contextValue = pipeline.contextOf(await clientOf(request));
    const result = await pipeline.execute({ document, variableValues, operationName, contextValue });
    if (result.errors) await sendErrors(response, headers, type, result);
    else
      send(response, 200, { ...headers, 'content-type': `${type}; charset=utf-8` }, JSON.stringify(result));
    return true;
  }

  /** Errors may have a status of their own. */
  async function sendErrors(
    response: ServerResponse,
    headers: Headers,
    type: string,
    result: ExecutionResult,
  ): Promise<void> {
    const told = processRegularResult(result, yoga.fetchAPI, type);
    send(response, told.status, { ...headers, ...Object.fromEntries(told.headers) }, await told.text());
  }

  return {
    async handle(request, response, headers, onSubscription) {
      if (request.method === 'POST' && isJson(request) && !isTooLong(request)) {
        const body = await readBody(request);
        // The rest is not kept; the connection ends with the answer.
        if (body.length > LIMITS.requestBytes) response.setHeader('connection', 'close');
        if (await answer(request, response, headers, body)) return;
        // Yoga takes it from there where the request was read already.
        Object.assign(request, { body: Readable.from([body]) });
      }
      for (const name in headers) response.setHeader(name, headers[name] ?? '');
      await yoga.handle(request, response, { onSubscription });
    },
  };
}

function send(response: ServerResponse, status: number, headers: Headers, body: string): void {
  if (response.destroyed) return;
  response.writeHead(status, { ...headers, 'content-length': Buffer.byteLength(body) }).end(body);
}

const JSON_TYPE = 'application/json';

function isJson({ headers }: IncomingMessage): boolean {
  return headers['content-type']?.split(';', 1)[0] === JSON_TYPE;
}

/** By its own word; one that comes in chunks does not tell. */
function isTooLong({ headers }: IncomingMessage): boolean {
  return Number(headers['content-length'] ?? 0) > LIMITS.requestBytes;
}

/** Of a body that is longer than may be, as much as shows that. Rejects where the client leaves. */
function readBody(request: IncomingMessage): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    request.on('data', (chunk: Buffer) => {
      if (bytes > LIMITS.requestBytes) return;
      chunks.push(chunk);
      bytes += chunk.length;
      if (bytes > LIMITS.requestBytes) resolve(Buffer.concat(chunks));
    });
    request.once('end', () => resolve(Buffer.concat(chunks)));
    request.once('error', reject);
  });
}

const KNOWN_PARAMS = new Set(['query', 'variables', 'operationName', 'extensions']);

/** Null where anything about them needs a closer look. */
function paramsOf(body: Buffer): Params | null {
  let params: unknown;
  try {
    params = JSON.parse(body.toString());
  } catch {
    return null;
  }
  if (!isObject(params) || typeof params.query !== 'string') return null;
  for (const name in params) if (!KNOWN_PARAMS.has(name)) return null;
  const { variables, operationName, extensions } = params;
  const isFine =
    (variables == null || isObject(variables)) &&
    (operationName == null || typeof operationName === 'string') &&
    (extensions == null || isObject(extensions));
  // What was not checked here is not looked at.
  return isFine ? (params as unknown as Params) : null;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
