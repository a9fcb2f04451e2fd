import { createConnection } from './connection.js';
import {
  isRepeatable,
  type Operation,
  operationOf,
  type Payload,
  payloadOf,
  type Variables,
  variablesOf,
} from './documents.js';
import { errorOf } from './errors.js';
import { iterate } from './iterate.js';
import type { Requests, Run, Sendable } from './operation.js';
import type { Result } from './result.js';
import { analyzeSubscription } from './resumable.js';
import { createRunner } from './runner.js';
import type { WebSocketConstructor } from './sockets.js';
import { createStatusTracker } from './status.js';
import { startSubscription } from './subscription.js';
import type { TokenSource } from './token.js';
import type {
  OnStatus,
  ParleyStatus,
  RequestArgs,
  ResultObserver,
  SubscribeOptions,
  Subscriber,
  TypedDocumentNode,
} from './types.js';

export interface ParleyClientOptions {
  /**
   * Address of the server's `/graphql`, with any of the schemes http, https, ws and wss. In a browser also a path, such
   * as `/graphql`.
   */
  readonly url: string;
  /** The access token, or a function that is asked for it; without one, the client is anonymous. */
  readonly token?: TokenSource;
  /** Called with each change of the status. */
  readonly onStatus?: OnStatus | undefined;
  /** How queries and mutations are sent: by default over the socket; over HTTP with `http` of `parley-client/http`. */
  readonly requests?: Requests | undefined;
  /** The longest pause between two attempts, in ms; 10,000 by default. Pauses start at up to a second and double. */
  readonly maxRetryDelayMs?: number | undefined;
  /** The WebSocket class; the global one by default. Node before 22 has none: pass that of the package `ws`. */
  readonly webSocket?: WebSocketConstructor | undefined;
}

export interface ParleyClient {
  /** The latest status that was reported. */
  readonly status: ParleyStatus;

  /** Adds a listener for changes of the status; returns a function that removes it. */
  onStatus(listener: OnStatus): () => void;

  /**
   * Runs a query. It waits for a connection, and is repeated after a cut and after `SERVICE_UNAVAILABLE`, without end.
   *
   * @throws ParleyError if the result has errors (`code` is that of the first, `data` what came with them), or if the
   *   client gave up.
   */
  query<Data = unknown, Vars extends object = Record<string, unknown>>(
    document: TypedDocumentNode<Data, Vars>,
    ...args: RequestArgs<Vars>
  ): Promise<Data>;

  /**
   * Runs a mutation. One of nothing but `sendMessage` with a `clientMessageId` is repeated like a query, since the server
   * stores it once. Every other waits for a connection and is sent once.
   *
   * @throws ParleyError as `query`; `OUTCOME_UNKNOWN` if the connection broke after the mutation was sent.
   */
  mutate<Data = unknown, Vars extends object = Record<string, unknown>>(
    document: TypedDocumentNode<Data, Vars>,
    ...args: RequestArgs<Vars>
  ): Promise<Data>;

  /**
   * Subscribes to `messageAdded` or `roomEvents`, and continues after the last cursor whenever it is interrupted: every
   * message once and in order. The client finds the cursor in the events and moves the variable that is given to `after`
   * by itself; `variables` is not changed. Without `after`, the subscription starts at the end of the room's history.
   *
   * With callbacks, it starts at once. Without, it returns an async iterable that starts with its iteration, keeps
   * events until they are taken, and throws a `ParleyError` where a subscriber's `error` would be called; leaving the
   * loop ends the subscription.
   *
   * @throws ParleyError `NOT_RESUMABLE` at once if the document lacks what resuming needs; the message shows the lines.
   */
  subscribe<Data extends object, Vars extends object>(
    document: TypedDocumentNode<Data, Vars>,
    variables: Vars,
    subscriber: Subscriber<Data>,
  ): () => void;
  subscribe<Data extends object, Vars extends object>(
    document: TypedDocumentNode<Data, Vars>,
    variables: Vars,
    options?: SubscribeOptions,
  ): AsyncIterable<Data>;

  /**
   * Runs an operation of any kind with the promises of the methods above, and delivers results as the server sent them,
   * with their errors: for links and exchanges of other GraphQL clients.
   *
   * @returns a function that ends the operation; the observer is not called any more then.
   */
  execute<Data = unknown, Vars extends object = Record<string, unknown>>(
    document: TypedDocumentNode<Data, Vars>,
    variables: Vars,
    observer: ResultObserver<Data>,
  ): () => void;

  /**
   * Opens a new connection with a fresh token, for example after a sign-in; subscriptions continue on it. A mutation
   * that is not answered yet fails with `OUTCOME_UNKNOWN`, unless it is repeatable.
   */
  reconnect(): void;

  /** Ends everything: subscriptions complete, requests reject with `DISPOSED`, the socket is closed. */
  dispose(): void;
}

/**
 * Creates a client. It connects with its first operation and stays connected as long as one runs; a cut is followed by
 * retries without end, at once when the browser is back online or a hidden tab becomes visible. It gives up only after
 * the close codes for which Parley's docs/delivery.md says so: its operations fail then, and the next one tries again.
 */
export function createParleyClient(options: ParleyClientOptions): ParleyClient {
  const status = createStatusTracker();
  if (options.onStatus) status.listen(options.onStatus);
  const connection = createConnection(options, status);
  const runner = createRunner(status, options.maxRetryDelayMs);
  const overSocket = runner.resilient(connection.run);
  const requestBy = options.requests ? runner.resilient(options.requests(options)) : overSocket;
  const services = {
    subscribe: overSocket,
    status,
    request: (payload: Payload) => resultOf(requestBy, { payload, kind: 'repeatable' }),
  };

  function sendable(operation: Operation, variables: Variables): Sendable {
    return {
      payload: payloadOf(operation, variables),
      kind: isRepeatable(operation, variables) ? 'repeatable' : 'once',
    };
  }

  async function request<Data, Vars extends object>(
    document: TypedDocumentNode<Data, Vars>,
    ...[variables, options]: RequestArgs<Vars>
  ): Promise<Data> {
    const operation = operationOf(document);
    if (operation.definition.operation === 'subscription') throw new TypeError('Use subscribe.');
    const { data } = await resultOf(requestBy, sendable(operation, variablesOf(variables)), options?.signal);
    // Without errors, the result has the type that the document was generated with.
    return data as Data;
  }

  function subscribe<Data extends object, Vars extends object>(
    document: TypedDocumentNode<Data, Vars>,
    variables: Vars,
    subscriber: Subscriber<Data>,
  ): () => void;
  function subscribe<Data extends object, Vars extends object>(
    document: TypedDocumentNode<Data, Vars>,
    variables: Vars,
    options?: SubscribeOptions,
  ): AsyncIterable<Data>;
  function subscribe<Data extends object, Vars extends object>(
    document: TypedDocumentNode<Data, Vars>,
    variables: Vars,
    options: Subscriber<Data> | SubscribeOptions = {},
  ): (() => void) | AsyncIterable<Data> {
    const resumable = analyzeSubscription(document);
    const start = (subscriber: Subscriber<Data>): (() => void) => {
      const observer: ResultObserver<Data> = {
        next({ data, errors }) {
          if (data) subscriber.next(data, errors);
        },
        error: (error) => subscriber.error(error),
        complete: () => subscriber.complete?.(),
        historyGap: subscriber.historyGap,
      };
      return startSubscription(services, resumable, variablesOf(variables), observer);
    };
    return 'next' in options ? start(options) : iterate(start, options);
  }

  return {
    get status() {
      return status.status;
    },
    onStatus: status.listen,
    query: request,
    mutate: request,
    subscribe,
    execute(document, variables, observer) {
      const operation = operationOf(document);
      if (operation.definition.operation === 'subscription')
        return startSubscription(services, analyzeSubscription(document), variablesOf(variables), observer);
      return requestBy(sendable(operation, variablesOf(variables)), observer);
    },
    reconnect: connection.reconnect,
    dispose() {
      runner.dispose();
      connection.dispose();
    },
  };
}

/** Rejects if the result has errors, or with the signal's reason. */
function resultOf(run: Run, operation: Sendable, signal?: AbortSignal): Promise<Result> {
  return new Promise((resolve, reject) => {
    const end = run(operation, {
      next(result) {
        if (result.errors) reject(errorOf(result));
        else resolve(result);
      },
      error: reject,
      // Does nothing after a result.
      complete: () => reject(errorOf({})),
    });
    const abort = (): void => {
      end();
      reject(signal?.reason);
    };
    signal?.addEventListener('abort', abort, { once: true });
    if (signal?.aborted) abort();
  });
}
