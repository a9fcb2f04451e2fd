import { randomUUID } from 'node:crypto';
import { GraphQLError } from 'graphql';
import {
  BadUserInputError,
  ForbiddenError,
  HistoryGapError,
  IdempotencyConflictError,
  InvalidCredentialsError,
  NotAMemberError,
  NotFoundError,
  RateLimitedError,
  ServiceUnavailableError,
  UnauthenticatedError,
  UndeliverableEventError,
  type UserFault,
  UsernameTakenError,
  ValidationError,
  type ValidationIssue,
} from '../../domain/errors.js';
import type { Log } from '../../domain/ports.js';
import { builder } from './builder.js';
import { Message } from './message.js';

/*
 * How failures are told. Expected ones of mutations are members of result unions, below; all else is an entry of
 * `errors[]` with a code, at the end of this file.
 */

const UserError = builder.interfaceRef<UserFault>('UserError').implement({
  description: 'An expected failure, returned as data: the type is for programs, `message` is for people.',
  fields: (t) => ({ message: t.exposeString('message', { description: 'What went wrong, for people.' }) }),
});

builder.objectType(InvalidCredentialsError, {
  name: 'InvalidCredentialsError',
  description: 'The username or the password is wrong; which of them is not told.',
  interfaces: [UserError],
});

builder.objectType(UsernameTakenError, {
  name: 'UsernameTakenError',
  description: 'Someone has this username, in this or another letter case.',
  interfaces: [UserError],
});

builder.objectType(NotFoundError, {
  name: 'NotFoundError',
  description: 'What an input field names is not there, or hidden from this viewer: the two look the same.',
  interfaces: [UserError],
  fields: (t) => ({
    field: t.exposeString('field', {
      description: 'The input field that names what is not there (for this viewer).',
    }),
  }),
});

builder.objectType(NotAMemberError, {
  name: 'NotAMemberError',
  description: 'The viewer sees the room, but only its members may do this.',
  interfaces: [UserError],
});

builder.objectType(IdempotencyConflictError, {
  name: 'IdempotencyConflictError',
  description: 'The same `clientMessageId` came before with another text.',
  interfaces: [UserError],
  fields: (t) => ({
    existing: t.field({
      type: Message,
      description: 'The message that was sent with this `clientMessageId`.',
      async resolve({ existingId }, _args, { loaders }) {
        const existing = await loaders.message.load(existingId);
        if (!existing) throw new ForbiddenError('This message may no longer be read.');
        return existing;
      },
    }),
  }),
});

builder.objectType(RateLimitedError, {
  name: 'RateLimitedError',
  description: 'Too many tries in too short a time.',
  interfaces: [UserError],
  fields: (t) => ({
    retryAfterMs: t.exposeInt('retryAfterMs', {
      description: 'When the next try is let through, in milliseconds from now.',
    }),
  }),
});

const Issue = builder.objectRef<ValidationIssue>('ValidationIssue').implement({
  description: 'One thing that is wrong with an input.',
  fields: (t) => ({
    field: t.exposeString('field', { description: 'The input field at fault: `text`, `username` …' }),
    code: t.exposeString('code', {
      description: 'For programs: `TOO_LONG`, `TOO_SHORT`, `INVALID_CHARACTER`, `INVALID_FORMAT`.',
    }),
    message: t.exposeString('message', { description: 'What is wrong, for people.' }),
  }),
});

builder.objectType(ValidationError, {
  name: 'ValidationError',
  description: 'The input is of the right type, but not acceptable.',
  interfaces: [UserError],
  fields: (t) => ({
    issues: t.field({
      type: [Issue],
      description: 'All that is wrong, at least one.',
      resolve: ({ issues }) => [...issues],
    }),
  }),
});

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
