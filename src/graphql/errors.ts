import { randomUUID } from 'node:crypto';
import { type ExecutionResult, GraphQLError, type GraphQLFormattedError } from 'graphql';
import {
  BadUserInputError,
  ForbiddenError,
  HistoryGapError,
  RateLimitedError,
  ServiceUnavailableError,
  UnauthenticatedError,
  UndeliverableEventError,
} from '../domain/errors.js';
import type { Log } from '../domain/ports.js';

/** `extensions.code` of what is wrong with a request; the table in docs/delivery.md has the same rows. */
const ERROR_CODES = [
  'UNAUTHENTICATED',
  'FORBIDDEN',
  'BAD_USER_INPUT',
  'LIMIT_EXCEEDED',
  'RATE_LIMITED',
  'HISTORY_GAP',
  'SERVICE_UNAVAILABLE',
  'INTERNAL',
] as const;
export type ErrorCode = (typeof ERROR_CODES)[number];

/** The domain's error as `errors[]` tells it; null where nobody outside may know what happened. */
function describe(error: unknown): ({ code: ErrorCode } & Record<string, unknown>) | null {
  if (error instanceof UnauthenticatedError) return { code: 'UNAUTHENTICATED', reason: error.reason };
  if (error instanceof ForbiddenError) return { code: 'FORBIDDEN' };
  if (error instanceof BadUserInputError) return { code: 'BAD_USER_INPUT', argument: error.argument };
  if (error instanceof HistoryGapError) return { code: 'HISTORY_GAP', reason: error.reason };
  if (error instanceof ServiceUnavailableError) return { code: 'SERVICE_UNAVAILABLE' };
  if (error instanceof RateLimitedError) return { code: 'RATE_LIMITED', retryAfterMs: error.retryAfterMs };
  return null;
}

/**
 * Any error as a client may see it, on every transport. What is unknown is masked, and logged with the id that the
 * client is given.
 */
export function toGraphQLError(error: unknown, log: Log): GraphQLError {
  const located = error instanceof GraphQLError ? error : null;
  const original = located?.originalError ? rootCause(located.originalError) : error;
  const place = {
    ...(located?.nodes ? { nodes: located.nodes } : {}),
    ...(located?.path ? { path: located.path } : {}),
  };
  if (original instanceof GraphQLError) {
    // GraphQL's own: a syntax error, a variable of the wrong type. Ours have a code already.
    const root = located ?? original;
    root.extensions.code = documentedCode(root.extensions.code);
    return root;
  }
  if (original instanceof UndeliverableEventError && !isPassing(original.cause))
    log.error(
      { error: original.cause },
      'An event could not be told: its stream ends, and is resumed from before it',
    );
  const described = describe(original);
  if (described)
    return new GraphQLError(original instanceof Error ? original.message : '', {
      ...place,
      extensions: described,
    });
  const id = randomUUID();
  log.error({ error: original, errorId: id, path: located?.path?.join('.') }, 'Unexpected error');
  return new GraphQLError('Unexpected error.', {
    ...place,
    extensions: { code: 'INTERNAL' satisfies ErrorCode, id },
  });
}

/** Yoga has codes of its own for requests that are none, GraphQL has none: clients are told ours. */
function documentedCode(code: unknown): ErrorCode {
  if (code === 'REQUEST_ENTITY_TOO_LARGE') return 'LIMIT_EXCEEDED';
  return ERROR_CODES.find((ours) => ours === code) ?? 'BAD_USER_INPUT';
}

/** A part that is away for a while: nothing that an operator could look into. */
function isPassing(cause: unknown): boolean {
  return cause instanceof Error && rootCause(cause) instanceof ServiceUnavailableError;
}

function rootCause(error: Error): Error {
  return error instanceof GraphQLError && error.originalError ? rootCause(error.originalError) : error;
}

/** An error as clients see it. The status that it has over HTTP means nothing on a WebSocket. */
export function formatError(error: GraphQLError): GraphQLFormattedError {
  const { extensions, ...rest } = error.toJSON();
  const { http: _, ...kept } = extensions ?? {};
  return { ...rest, extensions: kept };
}

/** The payload of a result whose errors are masked, with the fields in the order in which graphql-ws writes them. */
export function payloadOf({ data, errors }: ExecutionResult): object {
  return errors ? { data, errors: errors.map(formatError) } : { data };
}
