/**
 * Codes that a WebSocket is closed with, and what the standard graphql-ws client does then. Documented for clients in
 * docs/delivery.md. Those of the protocol itself (4400 for other reasons, 4406, 4429) are graphql-ws's own.
 */
export const CLOSE = {
  /** A fault of ours: the client gives up. */
  fault: { code: 1011, reason: 'Internal error' },
  /** The server restarts: the client retries and resumes. */
  restart: { code: 1012, reason: 'Service restart' },
  /** The client has read nothing for too long: it retries and resumes. If it still reads nothing, it sees a 1006. */
  tooSlow: { code: 1013, reason: 'Too slow' },
  /** An operation's id, which stands in each of its frames, is longer than may be: the client gives up. */
  longId: { code: 4400, reason: 'The id of the operation is too long' },
  /** The token is not one of ours: the client gives up, and the app signs in again. */
  invalidToken: { code: 4401, reason: 'The access token is not valid' },
  /** The token has expired: the client asks connectionParams again and retries with a new one. */
  expiredToken: { code: 4403, reason: 'The access token has expired' },
  /** The client has not said who it is: it retries. */
  noInit: { code: 4408, reason: 'Connection initialisation timeout' },
  /** A second operation of one id: the client gives up. By graphql-ws too. */
  idInUse: { code: 4409, reason: 'The id of the operation is in use' },
} as const;

export interface CloseReason {
  readonly code: number;
  readonly reason: string;
}
