import { maxHeaderSize, type ServerResponse, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import type { RateLimitedError } from '../../domain/errors.js';
import type { ErrorCode } from '../../graphql/errors.js';
import { REQUEST_LIMITS } from '../../graphql/limits/request.js';
import { GRAPHQL_PATH } from './paths.js';

/*
 * Requests that are rejected before they reach the pipeline. The body is a GraphQL error with a code, whatever the request
 * accepts, so that every client shows the message.
 */

export interface Refusal {
  readonly status: number;
  readonly code: ErrorCode;
  /** Says how to send the request correctly. */
  readonly message: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** When the request may be sent again, in ms. */
  readonly retryAfterMs?: number;
}

export const REFUSAL = {
  origin: {
    status: 403,
    code: 'FORBIDDEN',
    message:
      'Web pages of this origin may not use the API: add the origin to the setting ALLOWED_ORIGINS of the server.',
  },
  path: {
    status: 404,
    code: 'BAD_USER_INPUT',
    message: `Not found: the API is at ${GRAPHQL_PATH}, over HTTP and WebSocket.`,
  },
  host: {
    status: 400,
    code: 'BAD_USER_INPUT',
    message: 'The Host header is not valid: send the host name and the port of the server.',
  },
  mediaType: {
    status: 406,
    code: 'BAD_USER_INPUT',
    message:
      'No response has an accepted media type: accept application/json or application/graphql-response+json, or text/event-stream for subscriptions.',
  },
  body: {
    status: 413,
    code: 'LIMIT_EXCEEDED',
    message: `The request body is larger than ${REQUEST_LIMITS.requestBytes / 1024} KiB: send less in one request.`,
    // The rest of the body is not read.
    headers: { connection: 'close' },
  },
  timeout: {
    status: 408,
    code: 'BAD_USER_INPUT',
    message: 'The request took too long to arrive: send it again.',
  },
  headers: {
    status: 431,
    code: 'LIMIT_EXCEEDED',
    message: `The headers of the request are larger than ${maxHeaderSize / 1024} KiB: send fewer or shorter ones.`,
  },
  unreadable: {
    status: 400,
    code: 'BAD_USER_INPUT',
    message: 'The request is not valid HTTP/1.1.',
  },
  notReady: {
    status: 503,
    code: 'SERVICE_UNAVAILABLE',
    message: 'The server is starting and waits for its database: try again in a second.',
    headers: { 'retry-after': '1' },
  },
  stopping: {
    status: 503,
    code: 'SERVICE_UNAVAILABLE',
    message: 'The server is stopping: connect again.',
    headers: { 'retry-after': '1' },
  },
} as const satisfies Record<string, Refusal>;

/** Rejects what a client sends too often. @param isLast whether its connection is closed. */
export function tooMany({ message, retryAfterMs }: RateLimitedError, isLast = false): Refusal {
  return {
    status: 429,
    code: 'RATE_LIMITED',
    message,
    retryAfterMs,
    headers: {
      'retry-after': String(Math.ceil(retryAfterMs / 1000)),
      ...(isLast ? { connection: 'close' } : {}),
    },
  };
}

const JSON_TYPE = 'application/json; charset=utf-8';

export function sendRefusal(response: ServerResponse, refusal: Refusal): void {
  for (const [name, value] of Object.entries(refusal.headers ?? {})) response.setHeader(name, value);
  sendJson(response, refusal.status, bodyOf(refusal));
}

export function sendJson(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': JSON_TYPE, 'cache-control': 'no-store' });
  response.end(JSON.stringify(body));
}

/** Rejects what is not a request, or does not arrive, with an HTTP response, and closes the connection. */
export function refuseUnreadable(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (!socket.writable) socket.destroy();
  else if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT') refuseConnection(socket, REFUSAL.timeout);
  else if (error.code === 'HPE_HEADER_OVERFLOW') refuseConnection(socket, REFUSAL.headers);
  else refuseConnection(socket, REFUSAL.unreadable);
}

/** Rejects an upgrade request, or a connection, with an HTTP response, and closes the connection. */
export function refuseConnection(
  socket: Duplex,
  refusal: Refusal,
  headers: Readonly<Record<string, string>> = {},
): void {
  const { status } = refusal;
  const body = JSON.stringify(bodyOf(refusal));
  const all = {
    ...headers,
    ...refusal.headers,
    connection: 'close',
    'content-type': JSON_TYPE,
    'cache-control': 'no-store',
    'content-length': Buffer.byteLength(body),
  };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}`);
  // `end()` alone closes our half only: the connection would stay open until the client closes its half.
  socket.once('finish', () => socket.destroy());
  socket.end([`HTTP/1.1 ${status} ${STATUS_CODES[status]}`, ...lines, '', body].join('\r\n'));
}

function bodyOf({ message, code, retryAfterMs }: Refusal): object {
  const extensions = retryAfterMs === undefined ? { code } : { code, retryAfterMs };
  return { errors: [{ message, extensions }] };
}
