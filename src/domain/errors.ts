/**
 * What can go wrong by the rules of a chat. `graphql/errors.ts` alone decides how a client is told:
 * those that extend `UserFault` become members of a mutation's result union, the others entries of `errors[]`.
 */

/** An expected failure of a mutation. */
export abstract class UserFault extends Error {}

/** One thing that is wrong with an input. */
export interface ValidationIssue {
  /** The input field at fault. */
  readonly field: string;
  readonly code: 'TOO_SHORT' | 'TOO_LONG' | 'INVALID_CHARACTER' | 'INVALID_FORMAT';
  readonly message: string;
}

export class ValidationError extends UserFault {
  override name = 'ValidationError';
  constructor(readonly issues: readonly ValidationIssue[]) {
    super(issues.map((issue) => issue.message).join(' '));
  }
}

/** What an input field names is not there, or not for this viewer: the two look the same. */
export class NotFoundError extends UserFault {
  override name = 'NotFoundError';
  constructor(
    readonly field: string,
    message: string,
  ) {
    super(message);
  }
}

export class NotAMemberError extends UserFault {
  override name = 'NotAMemberError';
  constructor() {
    super('Only members of this room may send here: join it first.');
  }
}

/** The key of an earlier send came again with another text. */
export class IdempotencyConflictError extends UserFault {
  override name = 'IdempotencyConflictError';
  constructor(readonly existingId: string) {
    super('This clientMessageId was used before, with another text.');
  }
}

export class UsernameTakenError extends UserFault {
  override name = 'UsernameTakenError';
  constructor() {
    super('This username is taken.');
  }
}

/** Says neither whether the user exists nor what was wrong. */
export class InvalidCredentialsError extends UserFault {
  override name = 'InvalidCredentialsError';
  constructor() {
    super('The username or the password is wrong.');
  }
}

export class RateLimitedError extends UserFault {
  override name = 'RateLimitedError';
  /** @param retryAfterMs when the next try is let through, in milliseconds from now. */
  constructor(readonly retryAfterMs: number) {
    super(`Too many tries: try again in ${Math.ceil(retryAfterMs / 1000)} s.`);
  }
}

/** Why a request counts as nobody's. */
export type UnauthenticatedReason = 'MISSING' | 'INVALID' | 'EXPIRED';

export class UnauthenticatedError extends Error {
  override name = 'UnauthenticatedError';
  constructor(readonly reason: UnauthenticatedReason) {
    super(
      {
        MISSING: 'Sign in first: this needs an access token.',
        INVALID: 'The access token is not valid: sign in again.',
        EXPIRED: 'The access token has expired: sign in again.',
      }[reason],
    );
  }
}

/** The viewer is known, and may not. */
export class ForbiddenError extends Error {
  override name = 'ForbiddenError';
}

/** An argument makes no sense, whoever asks. */
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
 * `EXPIRED`: the room no longer keeps it (reserved: nothing raises it yet). `RESET`: it is of another history, before a
 * backup was restored, say.
 */
export type HistoryGapReason = 'EXPIRED' | 'RESET';

/** What lies behind a cursor can't be told any more: the client fetches a page anew. */
export class HistoryGapError extends Error {
  override name = 'HistoryGapError';
  constructor(readonly reason: HistoryGapReason) {
    super(
      reason === 'RESET'
        ? 'The cursor is of another history of this room: fetch roomMessages again.'
        : 'The cursor lies before what the room still keeps: fetch roomMessages again.',
    );
  }
}

/** A part that we need is away for the moment; the same request may succeed later. */
export class ServiceUnavailableError extends Error {
  override name = 'ServiceUnavailableError';
  constructor(options?: ErrorOptions) {
    super('Parley cannot do this at the moment: try again.', options);
  }
}

/** An event that could not be told: a client that resumes gets it again. The cause is a fault of ours. */
export class UndeliverableEventError extends ServiceUnavailableError {
  override name = 'UndeliverableEventError';
}

/** The database refuses data that passed our own checks: a fault of ours, but only of what holds that data. */
export class InvalidDataError extends Error {
  override name = 'InvalidDataError';
}

export function notAReader(): ForbiddenError {
  return new ForbiddenError('Only members of this room may read it: join it first.');
}

const ROOM_NOT_FOUND = 'There is no such room.';

/** The `roomId` of a query or subscription: an entry of `errors[]`. */
export function roomNotFound(): BadUserInputError {
  return new BadUserInputError('roomId', ROOM_NOT_FOUND);
}

/** The `roomId` in a mutation's input: a member of its result union. */
export function inputRoomNotFound(): NotFoundError {
  return new NotFoundError('roomId', ROOM_NOT_FOUND);
}
