import type { DocumentNode, GraphQLFormattedError } from 'graphql';
import type { ParleyError } from './errors.js';
import type { Result } from './result.js';

/**
 * A parsed document that knows the types of its result and variables, as GraphQL Code Generator's client preset makes
 * them. Structurally the same as the type of `@graphql-typed-document-node/core`.
 */
export interface TypedDocumentNode<Data, Variables> extends DocumentNode {
  /** Only a type: no value has it. */
  readonly __apiType?: (variables: Variables) => Data;
}

/** The variables and options of a request; the variables may be left out if none is required. */
export type RequestArgs<Variables> =
  Record<string, never> extends Variables
    ? [variables?: Variables, options?: RequestOptions]
    : [variables: Variables, options?: RequestOptions];

export interface RequestOptions {
  /**
   * Stops waiting for the result: the promise rejects with the signal's reason. A mutation that was sent may have been
   * done all the same.
   */
  readonly signal?: AbortSignal;
}

/**
 * Reports that the messages after the last cursor are not available, for example because a backup was restored. The
 * app reads a page again. If it returns the `liveCursor` of that page, or a promise of it, `messageAdded` continues after
 * it. With any other value, `messageAdded` continues from the moment of the report, so that the page and what follows
 * overlap, and nothing is lost between them. `roomEvents` continues by itself and ignores the value.
 */
export type OnHistoryGap = (gap: ParleyError) => unknown;

export interface SubscribeOptions {
  /**
   * Without it, a gap ends a subscription of `messageAdded` with an error whose `code` is `HISTORY_GAP`. `roomEvents`
   * delivers a `HistoryGapEvent` as well: handle either.
   */
  readonly historyGap?: OnHistoryGap | undefined;
}

/** The callbacks of a subscription. None is called after it was unsubscribed. */
export interface Subscriber<Data> extends SubscribeOptions {
  /**
   * Called for each event: every message once and in order. `errors` is there if a nullable field of the event failed;
   * that field is null in `data`.
   */
  next(data: Data, errors?: readonly GraphQLFormattedError[]): void;
  /** The subscription has ended with an error that a retry does not cure. */
  error(error: ParleyError): void;
  /** The server has ended the subscription, or the client was disposed. */
  complete?(): void;
}

/** The callbacks of `execute`, with results as the server sent them. */
export interface ResultObserver<Data> extends SubscribeOptions {
  /** Once for a query or a mutation, once per event for a subscription. */
  next(result: Result<Data>): void;
  error(error: ParleyError): void;
  complete(): void;
}

/**
 * `connecting`: no connection yet, or a new one is being opened after a cut. `live`: connected, and nothing is known to
 * be missing. `behind`: connected, but a `roomEvents` subscription is still receiving what it has missed, or the server
 * answered `SERVICE_UNAVAILABLE` and the operation is about to be repeated. `offline`: the latest attempt to connect
 * failed; retries go on, unless the reason says otherwise. `signed-out`: the server refused the token; sign in again.
 */
export type ParleyStatus = 'connecting' | 'live' | 'behind' | 'offline' | 'signed-out';

/**
 * @param reason why the status is `connecting` after a cut, `offline` or `signed-out`; null otherwise. A `code` of
 *   `CONNECTION_LOST` means that retries go on, any other that the client has given up.
 */
export type OnStatus = (status: ParleyStatus, reason: ParleyError | null) => void;
