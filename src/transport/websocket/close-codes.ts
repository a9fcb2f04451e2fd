import { REQUEST_LIMITS } from '../../graphql/limits/request.js';

/**
 * The codes and reasons with which the server closes a WebSocket, and how the standard graphql-ws client reacts.
 * docs/delivery.md documents them for clients. graphql-ws itself also closes with 4400 (malformed message), 4401 (operation
 * before `connection_ack`), 4406 (wrong subprotocol) and 4429 (second `connection_init`); the client gives up on each of
 * them.
 */
export const CLOSE = {
  /** An unexpected server error. The client gives up. */
  internalError: { code: 1011, reason: 'Internal error' },
  /** The server restarts. The client retries and resumes. */
  restart: { code: 1012, reason: 'Service restart' },
  /** The client reads too slowly. It retries and resumes; if it does not even read the close frame, it sees a 1006. */
  tooSlow: { code: 1013, reason: 'Client reads too slowly: reconnect and resume' },
  /** The address has too many connections without a token, and this is the oldest one. The client retries. */
  tooManyAnonymous: { code: 1013, reason: 'Too many connections without a token from this address' },
  /** The user, or the address, has too many connections. The client retries. */
  tooManyConnections: { code: 1013, reason: 'Too many connections of this user or address: close others' },
  /** The client has sent a message that only servers send, a bug in the client. It gives up. */
  unexpectedType: {
    code: 4400,
    reason: 'Unexpected message type: send connection_init, subscribe, complete, ping or pong',
  },
  /** An operation id exceeds the limit, a bug in the client. It gives up. */
  idTooLong: {
    code: 4400,
    reason: `Operation id has more than ${REQUEST_LIMITS.operationIdLength} characters`,
  },
  /** The token is invalid. The client gives up; the user must sign in again. */
  invalidToken: { code: 4401, reason: 'The access token is not valid: sign in again' },
  /** The user's account has ended. The client gives up. */
  accountEnded: { code: 4401, reason: 'The account has ended' },
  /** The credentials do not contain a token, a bug in the client. It gives up. */
  malformedCredentials: {
    code: 4401,
    reason: 'No access token: send connectionParams { authorization: "Bearer <accessToken>" }',
  },
  /** The token has expired. The client calls `connectionParams` again and retries with a new token. */
  expiredToken: { code: 4403, reason: 'The access token has expired: reconnect with a new one' },
  /** No `connection_init` arrived in time. The client retries. */
  initTimeout: { code: 4408, reason: 'Connection initialisation timeout' },
  /** Two operations have the same id, a bug in the client. It gives up. */
  idInUse: { code: 4409, reason: 'Operation id is in use: give each operation an id of its own' },
} as const;

export interface CloseReason {
  readonly code: number;
  readonly reason: string;
}
