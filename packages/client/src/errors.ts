import type { GraphQLFormattedError } from 'graphql';
import type { Result } from './result.js';

/** A code of the server (`extensions.code` of the first error), or one of the client's own. */
export type ParleyErrorCode =
  | 'UNAUTHENTICATED'
  | 'FORBIDDEN'
  | 'BAD_USER_INPUT'
  | 'LIMIT_EXCEEDED'
  | 'RATE_LIMITED'
  | 'HISTORY_GAP'
  | 'SERVICE_UNAVAILABLE'
  | 'INTERNAL'
  /** The connection broke or could not be opened; the client retries. */
  | 'CONNECTION_LOST'
  /** The server closed the connection with a code after which a retry makes no sense. */
  | 'CONNECTION_CLOSED'
  /** The connection broke before a mutation was answered: it may have been done or not. */
  | 'OUTCOME_UNKNOWN'
  /** The document of a subscription lacks a field or an argument that resuming needs. */
  | 'NOT_RESUMABLE'
  /** The client was disposed. */
  | 'DISPOSED'
  // Later versions of the server may have more.
  | (string & Record<never, never>);

export interface ParleyErrorDetails {
  readonly errors?: readonly GraphQLFormattedError[];
  readonly data?: unknown;
  readonly closeCode?: number;
  readonly cause?: unknown;
}

/** Everything that an operation or the client fails with. Decide by `code`; `message` is for people. */
export class ParleyError extends Error {
  declare readonly code: ParleyErrorCode;
  /** The errors of the operation, if the server answered with some. */
  declare readonly errors: readonly GraphQLFormattedError[];
  /** The partial data that came with them. */
  declare readonly data?: unknown;
  /** The close code of the WebSocket, if it was closed. */
  declare readonly closeCode?: number;

  constructor(code: ParleyErrorCode, message: string, details: ParleyErrorDetails = {}) {
    super(message);
    Object.assign(this, { name: 'ParleyError', errors: [], ...details, code });
  }
}

/** Anything that was thrown, as an error of the client. */
export function parleyErrorOf(cause: unknown): ParleyError {
  return cause instanceof ParleyError ? cause : new ParleyError('INTERNAL', String(cause), { cause });
}

/** The errors of a result as one. */
export function errorOf({ data, errors = [] }: Result): ParleyError {
  const [first] = errors;
  return new ParleyError(String(first?.extensions?.code ?? 'INTERNAL'), first?.message ?? 'No data.', {
    errors,
    data,
  });
}

/** Whether a retry may cure the error. */
export function isTemporary({ code, errors }: ParleyError): boolean {
  return (
    code === 'CONNECTION_LOST' || errors.some(({ extensions }) => extensions?.code === 'SERVICE_UNAVAILABLE')
  );
}

export function outcomeUnknown(cause?: unknown): ParleyError {
  return new ParleyError(
    'OUTCOME_UNKNOWN',
    'The connection broke: whether the mutation was done is unknown.',
    { cause },
  );
}

export function disposed(): ParleyError {
  return new ParleyError('DISPOSED', 'The client is disposed.');
}

/** Runs a callback of the app. An exception is reported as uncaught, and does not break the connection. */
export function safely(callback: () => void): void {
  try {
    callback();
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}
