import {
  type ExpectedError,
  ForbiddenError,
  IdempotencyConflictError,
  InvalidCredentialsError,
  NotAMemberError,
  NotFoundError,
  RateLimitedError,
  UsernameTakenError,
  ValidationError,
  type ValidationIssue,
} from '../../domain/errors.js';
import { builder } from './builder.js';
import { Message } from './message.js';

/*
 * Expected failures of mutations: members of their result unions. Any other error is an entry of `errors[]`, see
 * `../errors.ts`.
 */

const UserError = builder.interfaceRef<ExpectedError>('UserError').implement({
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
