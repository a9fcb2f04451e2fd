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
 * Expected failures of mutations, which are members of their result unions. All other errors are entries of `errors[]`:
 * see `../errors.ts`.
 */

const UserError = builder.interfaceRef<ExpectedError>('UserError').implement({
  description:
    'Expected failure of a mutation, returned as data. Distinguish failures by `__typename`; `message` is intended for display. New types may be added: always handle `... on UserError`.',
  fields: (t) => ({
    message: t.exposeString('message', { description: 'Human-readable description of the error.' }),
  }),
});

builder.objectType(InvalidCredentialsError, {
  name: 'InvalidCredentialsError',
  description: 'The username or the password is wrong. The error does not reveal which one.',
  interfaces: [UserError],
});

builder.objectType(UsernameTakenError, {
  name: 'UsernameTakenError',
  description: 'Another user already has this username, ignoring letter case, or one that looks like it.',
  interfaces: [UserError],
});

builder.objectType(NotFoundError, {
  name: 'NotFoundError',
  description:
    'An object that the input refers to does not exist, or the viewer cannot see it. The two cases cannot be distinguished.',
  interfaces: [UserError],
  fields: (t) => ({
    field: t.exposeString('field', {
      description: 'Name of the input field that refers to the object, for example `roomId`.',
    }),
  }),
});

builder.objectType(NotAMemberError, {
  name: 'NotAMemberError',
  description:
    'The viewer can see the room but is not a member, and this operation requires membership. Call `joinRoom` first.',
  interfaces: [UserError],
});

builder.objectType(IdempotencyConflictError, {
  name: 'IdempotencyConflictError',
  description:
    'The viewer has already sent a message with this `clientMessageId` and another text to this room. The new text is not stored: send it with a new `clientMessageId`.',
  interfaces: [UserError],
  fields: (t) => ({
    existing: t.field({
      type: Message,
      description: 'The message that was stored with this `clientMessageId`.',
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
  description: 'The rate limit of this operation was exceeded. Nothing was changed.',
  interfaces: [UserError],
  fields: (t) => ({
    retryAfterMs: t.exposeInt('retryAfterMs', {
      description: 'Time to wait before trying again, in milliseconds.',
    }),
  }),
});

const Issue = builder.objectRef<ValidationIssue>('ValidationIssue').implement({
  description: 'A rule that an input field violates.',
  fields: (t) => ({
    field: t.exposeString('field', { description: 'Name of the input field, for example `text`.' }),
    code: t.exposeString('code', {
      description:
        'Machine-readable code: `TOO_SHORT`, `TOO_LONG`, `INVALID_CHARACTER` or `INVALID_FORMAT`. New codes may be added: always handle unknown codes.',
    }),
    message: t.exposeString('message', { description: 'Human-readable description of the violation.' }),
  }),
});

builder.objectType(ValidationError, {
  name: 'ValidationError',
  description: 'The input violates rules, such as a maximum length. Nothing was changed.',
  interfaces: [UserError],
  fields: (t) => ({
    issues: t.field({
      type: [Issue],
      description: 'All violated rules, at least one.',
      resolve: ({ issues }) => [...issues],
    }),
  }),
});
