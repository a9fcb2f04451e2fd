/*
 * What the domain needs from outside, beside its stores and the bus.
 */

/** What is limited. Per what (a person, an address) is the caller's choice of key. */
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
  /** @throws RateLimitedError where the key has used its share of the window up. */
  consume(action: LimitedAction, key: string): Promise<void>;
  reset(action: LimitedAction, key: string): Promise<void>;
}

/** For what an operator should know. */
export interface Log {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}
