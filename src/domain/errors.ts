/**
 * Errors of the domain. Their messages are shown to API clients. `graphql/errors.ts` alone decides how they appear
 * in a response: an `ExpectedError` is a member of a mutation's result union, any other error an entry of `errors[]`.
 */

/** An expected failure of a mutation. */
export abstract class ExpectedError extends Error {}

/** One problem with an input. */
export interface ValidationIssue {
  /** The invalid input field. */
  readonly field: string;
  readonly code: 'TOO_SHORT' | 'TOO_LONG' | 'INVALID_CHARACTER' | 'INVALID_FORMAT';
  readonly message: string;
}

export class ValidationError extends ExpectedError {
  override name = 'ValidationError';
  constructor(readonly issues: readonly ValidationIssue[]) {
    super(issues.map((issue) => issue.message).join(' '));
  }
}

/** The object that an input field refers to does not exist, or is hidden from the viewer: a client cannot see which. */
export class NotFoundError extends ExpectedError {
  override name = 'NotFoundError';
  constructor(
    readonly field: string,
    message: string,
  ) {
    super(message);
  }
}

export class NotAMemberError extends ExpectedError {
  override name = 'NotAMemberError';
  constructor() {
    super('Only members can send messages to this room. Join it first.');
  }
}

/** The `clientMessageId` of an earlier message was used again with another text. */
export class IdempotencyConflictError extends ExpectedError {
  override name = 'IdempotencyConflictError';
  constructor(readonly existingId: string) {
    super('This `clientMessageId` was used before, with another text. Use a new one for each message.');
  }
}

export class UsernameTakenError extends ExpectedError {
  override name = 'UsernameTakenError';
  constructor() {
    super('This username is taken, or looks like another one. Choose another one.');
  }
}

/** Reveals neither whether the user exists nor whether the username or the password was wrong. */
export class InvalidCredentialsError extends ExpectedError {
  override name = 'InvalidCredentialsError';
  constructor() {
    super('Incorrect username or password.');
  }
}

export class RateLimitedError extends ExpectedError {
  override name = 'RateLimitedError';
  /** @param retryAfterMs time until the next attempt is accepted, in ms. */
  constructor(
    readonly retryAfterMs: number,
    reason = 'Too many requests.',
  ) {
    super(`${reason} Try again in ${Math.ceil(retryAfterMs / 1000)} s.`);
  }
}

/** Why a request is not authenticated. */
export type UnauthenticatedReason = 'MISSING' | 'INVALID' | 'EXPIRED';

const UNAUTHENTICATED: Readonly<Record<UnauthenticatedReason, string>> = {
  MISSING: 'This requires an access token. Sign in first.',
  INVALID: 'The access token is invalid. Sign in again.',
  EXPIRED: 'The access token has expired. Sign in again.',
};

export class UnauthenticatedError extends Error {
  override name = 'UnauthenticatedError';
  constructor(
    readonly reason: UnauthenticatedReason,
    message = UNAUTHENTICATED[reason],
  ) {
    super(message);
  }
}

/** The viewer is authenticated but has no access. */
export class ForbiddenError extends Error {
  override name = 'ForbiddenError';
}

/** A counter of the room is used up: the room takes no more messages, joins or edits. */
export class RoomFullError extends Error {
  override name = 'RoomFullError';
  constructor() {
    super('The room is full: it has used up its message numbers. Create a new room with `createRoom`.');
  }
}

/** An argument is invalid, for any viewer. */
export class BadUserInputError extends Error {
  override name = 'BadUserInputError';
  constructor(
    readonly argument: string,
    message: string,
  ) {
    super(message);
  }
}

/**
 * `RESET`: the cursor belongs to another history, for example from before a backup was restored. `EXPIRED` (reserved, not
 * raised yet): the room no longer keeps what follows the cursor.
 */
export type HistoryGapReason = 'EXPIRED' | 'RESET';

/** The history after a cursor is not available. The client has to fetch a page again. */
export class HistoryGapError extends Error {
  override name = 'HistoryGapError';
  constructor(readonly reason: HistoryGapReason) {
    super(
      reason === 'RESET'
        ? 'The cursor belongs to another history of this room. Fetch `roomMessages` again.'
        : 'The room no longer keeps the history after this cursor. Fetch `roomMessages` again.',
    );
  }
}

/** A part of the server is temporarily unavailable. The same request may succeed later. */
export class ServiceUnavailableError extends Error {
  override name = 'ServiceUnavailableError';
  constructor(options?: ErrorOptions) {
    super('The service is temporarily unavailable. Try again.', options);
  }
}

/**
 * An event of a subscription could not be turned into a result, because of a fault in the server, which is the `cause`. A
 * client that resumes the subscription receives the event again.
 */
export class UndeliverableEventError extends ServiceUnavailableError {
  override name = 'UndeliverableEventError';
}

/** The database rejected data that had passed our validation: a fault in the server, which affects only that data. */
export class InvalidDataError extends Error {
  override name = 'InvalidDataError';
}

/** The viewer may see the room but not its messages. */
export function readForbidden(): ForbiddenError {
  return new ForbiddenError('Only members can read this room. Join it first.');
}

const ROOM_NOT_FOUND = 'The room does not exist, or you do not have access to it.';

/** For queries and subscriptions, as an entry of `errors[]`. */
export function roomNotFound(): BadUserInputError {
  return new BadUserInputError('roomId', ROOM_NOT_FOUND);
}

/** For mutations, as a member of the result union. */
export function inputRoomNotFound(): NotFoundError {
  return new NotFoundError('roomId', ROOM_NOT_FOUND);
}
