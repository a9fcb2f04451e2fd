import type { Payload, Variables } from './documents.js';
import type { ParleyError } from './errors.js';
import type { Result } from './result.js';
import type { TokenSource } from './token.js';

/**
 * What happens after a cut. `subscription`: it is sent again. `repeatable`: it is sent again if it has no result yet.
 * `once`: it fails with `OUTCOME_UNKNOWN` if it has been sent and has no result yet.
 */
export type OperationKind = 'subscription' | 'repeatable' | 'once';

export interface Sendable {
  readonly payload: Payload;
  readonly kind: OperationKind;
  /** Called each time that the operation is sent; without it, the variables stay those of the payload. */
  readonly variables?: () => Variables;
}

/** What becomes of an operation. Exactly one of `error` and `complete` is called in the end. */
export interface Sink {
  next(result: Result): void;
  /** The server's errors as one, or the client's. */
  error(error: ParleyError): void;
  complete(): void;
}

/** A transport: runs an operation, and returns a function that ends it, after which the sink is not called any more. */
export type Run = (operation: Sendable, sink: Sink) => () => void;

/** A transport for queries and mutations other than the socket. */
export type Requests = (options: { readonly url: string; readonly token?: TokenSource }) => Run;
