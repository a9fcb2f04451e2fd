/*
 * Ports of the domain that are neither a store nor the bus.
 */

/** Actions with a rate limit. The caller chooses what is limited by its choice of the key: a user, say, or an address. */
export type LimitedAction =
  | 'signUp'
  | 'loginByAddress'
  | 'findUser'
  | 'updateProfile'
  | 'createRoom'
  | 'joinRoom'
  | 'sendMessage'
  | 'anonymousOperation'
  | 'operationCost';

export interface RateLimiter {
  /**
   * Counts an action of the key, as one or as several points.
   *
   * @throws RateLimitedError if the key has used up its limit.
   */
  consume(action: LimitedAction, key: string, points?: number): Promise<void>;
}

/** A username, in the form in which usernames are compared, and the address of the client that tries to log in. */
export interface LoginAttempt {
  readonly usernameKey: string;
  readonly address: string;
}

/**
 * Slows down the guessing of passwords. An address has three tries for a username; then it has to wait ever longer between
 * two, and longer still while others fail for that username. So nobody can lock out someone at another address.
 */
export interface LoginThrottle {
  /** Counts an attempt, before its password is checked. @throws RateLimitedError if it comes too early. */
  count(attempt: LoginAttempt): Promise<void>;
  /** Takes back an attempt whose password was not checked. */
  takeBack(attempt: LoginAttempt): Promise<void>;
  /** Forgets the failures, after a success. */
  reset(attempt: LoginAttempt): Promise<void>;
}

/** A structured log for operators. */
export interface Log {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}
