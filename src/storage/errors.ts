import { DrizzleQueryError } from 'drizzle-orm';
import postgres from 'postgres';
import { InvalidDataError, ServiceUnavailableError, UnauthenticatedError } from '../domain/errors.js';

/** Codes of Node and postgres.js for a connection that could not be opened: the statement was not sent. */
const CONNECTION_REFUSED_CODES = new Set([
  'ECONNREFUSED',
  'ENOENT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'CONNECT_TIMEOUT',
]);

/** Their codes for a lost connection: the statement may or may not have been executed. */
const CONNECTION_LOST_CODES = new Set([
  'CONNECTION_CLOSED',
  'CONNECTION_DESTROYED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
]);

/** The code of the driver or the server, also of an error that Drizzle has wrapped. */
export function databaseErrorCode(error: unknown): string | null {
  const cause = error instanceof DrizzleQueryError ? error.cause : error;
  if (!(cause instanceof Error) || !('code' in cause)) return null;
  return typeof cause.code === 'string' ? cause.code : null;
}

function violatedConstraint(error: unknown): string | null {
  const cause = error instanceof DrizzleQueryError ? error.cause : error;
  return cause instanceof postgres.PostgresError ? (cause.constraint_name ?? null) : null;
}

/**
 * The server is unreachable, starting, stopping, out of resources, or a standby that is not promoted yet. The same
 * call may succeed later. (SQLSTATE classes 08 and 53, and 57P.., 25006 and 55000.)
 */
export function isConnectionError(error: unknown): boolean {
  const code = databaseErrorCode(error);
  return (
    code !== null &&
    (CONNECTION_REFUSED_CODES.has(code) ||
      CONNECTION_LOST_CODES.has(code) ||
      /^(08|53|57P|25006|55000)/.test(code))
  );
}

/** The connection was lost, so the driver's state is no longer reliable: see `createPool`. */
export function isConnectionLost(error: unknown): boolean {
  const code = databaseErrorCode(error);
  return code !== null && (CONNECTION_LOST_CODES.has(code) || /^57P0[12]$/.test(code));
}

/**
 * Nothing was stored: the statement was not sent, or the server answered it with an error. This includes the last
 * message of a server that shuts down (57P01): postgres.js never reports it to the query that was interrupted, only
 * to one that follows.
 */
export function wasNotExecuted(error: unknown): boolean {
  const cause = error instanceof DrizzleQueryError ? error.cause : error;
  return (
    cause instanceof postgres.PostgresError || CONNECTION_REFUSED_CODES.has(databaseErrorCode(error) ?? '')
  );
}

/** A deadlock or a serialization failure: the transaction was rolled back and may be retried. */
export function isTransactionConflict(error: unknown): boolean {
  const code = databaseErrorCode(error);
  return code === '40P01' || code === '40001';
}

/** The statement was canceled by `lock_timeout` or `statement_timeout`. */
function isTimeout(error: unknown): boolean {
  const code = databaseErrorCode(error);
  return code === '55P03' || code === '57014';
}

/** The pool was closed: a retry cannot succeed. */
function isClosed(error: unknown): boolean {
  return databaseErrorCode(error) === 'CONNECTION_ENDED';
}

/**
 * Removes the values of a statement from its error, in place: they may be password hashes or messages, and errors are logged.
 * Drizzle puts the parameters into the message, and Postgres quotes the row in `detail`.
 */
export function removeValues(error: unknown): void {
  const isWrapped = error instanceof DrizzleQueryError;
  removeServerDetails(isWrapped ? error.cause : error);
  if (!isWrapped) return;
  const message = `Failed query: ${error.query}`;
  Object.assign(error, { message, params: [], stack: `${error.name}: ${message}` });
}

function removeServerDetails(error: unknown): void {
  if (error instanceof postgres.PostgresError) Object.assign(error, { detail: undefined, where: undefined });
}

/** Converts a driver's error to the domain's, if the domain has one for it. */
export function translateError(error: unknown): unknown {
  if (isConnectionError(error) || isTimeout(error) || isTransactionConflict(error) || isClosed(error))
    return new ServiceUnavailableError({ cause: error });
  const code = databaseErrorCode(error);
  // The user of a write is the viewer: the account was deleted while the token is still valid.
  if (code === '23503' && violatedConstraint(error)?.endsWith('_users_id_fk'))
    return new UnauthenticatedError('INVALID');
  if (code !== null && /^2[23]/.test(code)) return new InvalidDataError('', { cause: error });
  return error;
}
