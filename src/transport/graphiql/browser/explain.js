import { propertyOf } from './property-of.js';

/** What a close code means, and what the user can do about it. */
const CLOSE_CODES = new Map([
  [1006, ['The connection broke, or the server cannot be reached']],
  [1012, ['The server restarts']],
  [1013, ['The server closed the connection because this page read too slowly']],
  [4401, ['The server does not accept the access token', ' Run SignUp again, or correct the Headers pane.']],
  [
    4403,
    ['The access token has expired', ' Enter a new one in the Headers pane, or stop and run SignUp again.'],
  ],
  // The page itself closed the connection.
  [4499, ['The server does not respond']],
]);

/**
 * The reason why a socket is gone, in words. The event of a refused connection has neither a code nor a message.
 *
 * @param {unknown} event
 * @returns {string}
 */
export function explainClose(event) {
  const code = propertyOf(event, 'code');
  if (typeof code !== 'number') return 'The server cannot be reached.';
  const reason = propertyOf(event, 'reason');
  const [meaning, advice = ''] = CLOSE_CODES.get(code) ?? ['The connection was closed'];
  return `${meaning} (${code}${reason ? ` ${reason}` : ''}).${advice}`;
}

/**
 * The errors with which a subscription ends, as GraphQL errors.
 *
 * @param {unknown} cause the errors of the operation, the event of a socket, or an exception.
 * @returns {readonly { readonly message: string }[]}
 */
export function explainError(cause) {
  if (Array.isArray(cause)) return cause;
  return [{ message: cause instanceof Error ? cause.message : explainClose(cause) }];
}

/**
 * Whether an operation failed because a part of the server is temporarily unavailable.
 *
 * @param {unknown} cause
 */
export function isUnavailable(cause) {
  return (
    Array.isArray(cause) &&
    cause.some((error) => propertyOf(propertyOf(error, 'extensions'), 'code') === 'SERVICE_UNAVAILABLE')
  );
}
