import { randomUUID } from 'node:crypto';
import { type ExecutionResult, GraphQLError, type GraphQLFormattedError } from 'graphql';
import {
  BadUserInputError,
  ForbiddenError,
  HistoryGapError,
  RateLimitedError,
  RoomFullError,
  ServiceUnavailableError,
  UnauthenticatedError,
  UndeliverableEventError,
} from '../domain/errors.js';
import type { Log } from '../domain/ports.js';

/** All values of `extensions.code`; docs/delivery.md documents each of them. */
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

/** The extensions of a domain error; null for an unknown error, which must be masked. */
function extensionsOf(error: unknown): ({ code: ErrorCode } & Record<string, unknown>) | null {
  if (error instanceof UnauthenticatedError) return { code: 'UNAUTHENTICATED', reason: error.reason };
  if (error instanceof ForbiddenError) return { code: 'FORBIDDEN' };
  if (error instanceof BadUserInputError) return { code: 'BAD_USER_INPUT', argument: error.argument };
  if (error instanceof RoomFullError) return { code: 'LIMIT_EXCEEDED' };
  if (error instanceof HistoryGapError) return { code: 'HISTORY_GAP', reason: error.reason };
  if (error instanceof ServiceUnavailableError) return { code: 'SERVICE_UNAVAILABLE' };
  if (error instanceof RateLimitedError) return { code: 'RATE_LIMITED', retryAfterMs: error.retryAfterMs };
  return null;
}

/**
 * Converts any error to one that clients may see, with a documented code. An unknown error is masked as `INTERNAL`, and
 * logged with the `id` that the client gets.
 */
export function toGraphQLError(error: unknown, log: Pick<Log, 'error'>): GraphQLError {
  const located = error instanceof GraphQLError ? error : null;
  const original = located?.originalError ? rootCause(located.originalError) : error;
  const location = {
    ...(located?.nodes ? { nodes: located.nodes } : {}),
    ...(located?.path ? { path: located.path } : {}),
  };
  if (original instanceof GraphQLError) {
    // An error of graphql-js or Yoga, such as a syntax error or a variable of the wrong type, or one of ours with a code.
    const outer = located ?? original;
    outer.extensions.code = documentedCode(outer.extensions.code);
    return outer;
  }
  // An outage needs no line per event.
  if (original instanceof UndeliverableEventError && !isTemporary(original.cause))
    log.error(
      { error: original.cause },
      'An event could not be delivered: its subscription ends with an error, and the client resumes from before the event',
    );
  const extensions = extensionsOf(original);
  if (extensions)
    return new GraphQLError(original instanceof Error ? original.message : '', {
      ...location,
      extensions,
    });
  const id = randomUUID();
  log.error({ error: original, errorId: id, path: located?.path?.join('.') }, 'Unexpected error');
  return new GraphQLError('Unexpected error.', {
    ...location,
    extensions: { code: 'INTERNAL' satisfies ErrorCode, id },
  });
}

/** Replaces the codes of Yoga, and the missing ones of graphql-js, by documented codes. */
function documentedCode(code: unknown): ErrorCode {
  if (code === 'REQUEST_ENTITY_TOO_LARGE') return 'LIMIT_EXCEEDED';
  return ERROR_CODES.find((ours) => ours === code) ?? 'BAD_USER_INPUT';
}

/** Whether the cause is a temporary outage of a part of the server. */
export function isTemporary(cause: unknown): boolean {
  return cause instanceof Error && rootCause(cause) instanceof ServiceUnavailableError;
}

function rootCause(error: Error): Error {
  return error instanceof GraphQLError && error.originalError ? rootCause(error.originalError) : error;
}

/** The error as JSON, without its HTTP status, which only Yoga needs. */
export function formatError(error: GraphQLError): GraphQLFormattedError {
  const { extensions, ...rest } = error.toJSON();
  const { http: _, ...kept } = extensions ?? {};
  return { ...rest, extensions: kept };
}

/** The payload of a result whose errors are masked; its fields have the same order as in frames of graphql-ws. */
export function payloadOf({ data, errors }: ExecutionResult): object {
  return errors ? { data, errors: errors.map(formatError) } : { data };
}
