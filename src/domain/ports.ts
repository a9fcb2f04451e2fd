/*
 * Ports of the domain that are neither a store nor the bus.
 */

/** Actions with a rate limit. The caller chooses what is limited by its choice of the key: a user, say, or an address. */
export type LimitedAction =
  | 'signUp'
  | 'loginByAddress'
  | 'loginByUsername'
  | 'findUser'
  | 'updateProfile'
  | 'createRoom'
  | 'joinRoom'
  | 'sendMessage';

export interface RateLimiter {
  /** Counts one action of the key. @throws RateLimitedError if the key has used up its limit. */
  consume(action: LimitedAction, key: string): Promise<void>;
  /** Forgets what was counted for the key. */
  reset(action: LimitedAction, key: string): Promise<void>;
}

/** A structured log for operators. */
export interface Log {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}
