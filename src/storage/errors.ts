import { DrizzleQueryError } from 'drizzle-orm';
import postgres from 'postgres';
import { InvalidDataError, ServiceUnavailableError, UnauthenticatedError } from '../domain/errors.js';

/** postgres.js and Node name a lost or refused connection by these; SQLSTATE classes 08, 53 and 57P are the server's. */
const CONNECTION_CODES = new Set([
  'CONNECTION_CLOSED',
  'CONNECTION_ENDED',
  'CONNECTION_DESTROYED',
  'CONNECT_TIMEOUT',
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ENOENT',
  'ENOTFOUND',
  'EAI_AGAIN',
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

/** The server is away, starting, stopping or full: the same call may succeed later. */
export function isConnectionError(error: unknown): boolean {
  const code = databaseErrorCode(error);
  return code !== null && (CONNECTION_CODES.has(code) || /^(08|53|57P)/.test(code));
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

/** The error by the domain's own names, where it has one. */
export function translateError(error: unknown): unknown {
  if (isConnectionError(error) || isTimeout(error) || isTransactionConflict(error))
    return new ServiceUnavailableError({ cause: error });
  const code = databaseErrorCode(error);
  // Whoever writes is the viewer: their account is gone, and their token outlives it.
  if (code === '23503' && violatedConstraint(error)?.endsWith('_users_id_fk'))
    return new UnauthenticatedError('INVALID');
  if (code !== null && /^2[23]/.test(code)) return new InvalidDataError('', { cause: error });
  return error;
}

type Method = (...args: never[]) => Promise<unknown>;

/** The same store, whose methods throw the domain's errors instead of the driver's. */
export function withDomainErrors<Store extends object>(store: Store): Store {
  const methods = Object.entries(store).map(([name, method]: [string, Method]) => [
    name,
    async (...args: never[]) => {
      try {
        return await method(...args);
      } catch (error) {
        throw translateError(error);
      }
    },
  ]);
  // Every method keeps its name and signature; Object.fromEntries forgets both.
  return Object.fromEntries(methods) as Store;
}
