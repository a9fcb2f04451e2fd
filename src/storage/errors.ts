import { DrizzleQueryError } from 'drizzle-orm';
import postgres from 'postgres';
import { InvalidDataError, ServiceUnavailableError, UnauthenticatedError } from '../domain/errors.js';

/** Node's and postgres.js's names for a connection that could not be made: what it was for was not sent. */
const REFUSED_CODES = new Set(['ECONNREFUSED', 'ENOENT', 'ENOTFOUND', 'EAI_AGAIN', 'CONNECT_TIMEOUT']);

/** Their names for one that was lost: what was under way may have been stored, or not. */
const LOST_CODES = new Set([
  'CONNECTION_CLOSED',
  'CONNECTION_DESTROYED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
]);

/** The driver's or the server's code of an error, below whatever Drizzle put around it. */
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
 * The server is away, starting, stopping or full, or a standby that is not promoted yet: the same call may succeed later.
 * (08, 53, 57P, 25006, 55000: the server's words.)
 */
export function isConnectionError(error: unknown): boolean {
  const code = databaseErrorCode(error);
  return (
    code !== null &&
    (REFUSED_CODES.has(code) || LOST_CODES.has(code) || /^(08|53|57P|25006|55000)/.test(code))
  );
}

/** The connection broke, and the driver's state with it. */
export function isConnectionLost(error: unknown): boolean {
  const code = databaseErrorCode(error);
  return code !== null && (LOST_CODES.has(code) || /^57P0[12]$/.test(code));
}

/**
 * Nothing was stored: the call was not sent, or the server answered it with an error. The farewell of a server that goes
 * (57P01) counts, too: postgres.js never tells it to the query that it ended, only to one that was to come after.
 */
export function wasNotRun(error: unknown): boolean {
  const cause = error instanceof DrizzleQueryError ? error.cause : error;
  return cause instanceof postgres.PostgresError || REFUSED_CODES.has(databaseErrorCode(error) ?? '');
}

/** The transaction lost against another one and changed nothing: a deadlock or a serialisation failure. */
export function isTransactionConflict(error: unknown): boolean {
  const code = databaseErrorCode(error);
  return code === '40P01' || code === '40001';
}

/** A wait that a limit of ours ended (`lock_timeout`, `statement_timeout`). */
function isTimeout(error: unknown): boolean {
  const code = databaseErrorCode(error);
  return code === '55P03' || code === '57014';
}

/** We closed the pool ourselves: no other try will succeed. */
function isClosed(error: unknown): boolean {
  return databaseErrorCode(error) === 'CONNECTION_ENDED';
}

/** The error by the domain's own names, where it has one. */
export function translateError(error: unknown): unknown {
  if (isConnectionError(error) || isTimeout(error) || isTransactionConflict(error) || isClosed(error))
    return new ServiceUnavailableError({ cause: error });
  const code = databaseErrorCode(error);
  // Whoever writes is the viewer: their account is gone, and their token outlives it.
  if (code === '23503' && violatedConstraint(error)?.endsWith('_users_id_fk'))
    return new UnauthenticatedError('INVALID');
  if (code !== null && /^2[23]/.test(code)) return new InvalidDataError('', { cause: error });
  return error;
}
