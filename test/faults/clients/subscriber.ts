import { createClient } from 'graphql-ws';
import WebSocket from 'ws';
import { stopAtEnd } from '../../helpers/stopping.js';
import type { DeliveryLog, MessageRef } from '../verdict/check.js';

export interface Seen extends MessageRef {
  /** The time of arrival, as a time of `performance.now()` in ms. */
  readonly at: number;
}

/** A standard client that always reconnects and resumes where it stopped. */
export interface Subscriber extends DeliveryLog {
  readonly seen: readonly Seen[];
  /** The times at which it lost its socket. */
  readonly losses: readonly number[];
  /** Why it has given up, which must never happen: after a `complete`, or an error that clients do not retry. */
  readonly failure: string | null;
  /** Resolves to true when it has received this or a later message; to false after the timeout or a failure. */
  reached(seq: number, timeoutMs: number): Promise<boolean>;
  stop(): void;
}

export interface SubscriberOptions {
  /** The URL to connect to, for each attempt (from 0). */
  readonly url: (attempt: number) => string;
  readonly token: string;
  readonly roomId: string;
  /** The cursor to start from, and its `seq`. */
  readonly cursor: string;
  readonly after: number;
}

interface Delivery {
  readonly messageAdded: { readonly cursor: string; readonly node: MessageRef };
}

const QUERY = `subscription ($roomId: ID!, $after: String) {
  messageAdded(roomId: $roomId, after: $after) { cursor node { seq clientMessageId } }
}`;

/** The minimum delay before a reconnect; it is up to twice as long, so that clients do not reconnect all at once. */
const RETRY_DELAY_MS = 50;

/**
 * Subscribes as the documentation recommends to frontends: with the graphql-ws client, endless retries, and `variables.after`
 * updated in place by each delivery, because the client sends its variables again on each reconnect. If the operation ends
 * with `SERVICE_UNAVAILABLE`, it subscribes again with the last cursor.
 */
export function openSubscriber({ url, token, roomId, cursor, after }: SubscriberOptions): Subscriber {
  const seen: Seen[] = [];
  const losses: number[] = [];
  const waiting = new Set<() => void>();
  const variables = { roomId, after: cursor };
  let attempt = 0;
  let failure: string | null = null;
  let connected = false;
  let stopped = false;
  let unsubscribe = (): void => {};
  const wake = (): void => {
    for (const check of waiting) check();
  };
  const fail = (reason: string): void => {
    if (stopped) return;
    failure ??= reason;
    wake();
  };

  const client = createClient({
    url: () => url(attempt++),
    webSocketImpl: WebSocket,
    connectionParams: { token },
    retryAttempts: Number.POSITIVE_INFINITY,
    shouldRetry: () => true,
    retryWait: retryDelay,
    on: {
      connected: () => {
        connected = true;
      },
      closed: () => {
        // A failed attempt to connect is not a loss.
        if (connected) losses.push(performance.now());
        connected = false;
      },
    },
  });

  function subscribe(): void {
    unsubscribe = client.subscribe<Delivery>(
      { query: QUERY, variables },
      {
        next({ data, errors }) {
          if (!data) return fail(`delivered without data: ${JSON.stringify(errors)}`);
          const { seq, clientMessageId } = data.messageAdded.node;
          seen.push({ seq, clientMessageId, at: performance.now() });
          variables.after = data.messageAdded.cursor;
          if (waiting.size > 0) wake();
        },
        error(error) {
          if (stopped) return;
          if (isTemporary(error)) void retryDelay().then(() => stopped || subscribe());
          else fail(describe(error));
        },
        complete: () => fail('the server completed the subscription'),
      },
    );
  }

  const stop = (): void => {
    forget();
    stopped = true;
    unsubscribe();
    // It rejects if the client is just retrying, which is not a failure.
    void Promise.resolve(client.dispose()).catch(() => {});
  };
  const forget = stopAtEnd(async () => stop());
  subscribe();
  return {
    after,
    seen,
    losses,
    get failure() {
      return failure;
    },
    stop,
    reached: (seq, timeoutMs) =>
      new Promise((resolve) => {
        const settle = (reached: boolean): void => {
          clearTimeout(timer);
          waiting.delete(check);
          resolve(reached);
        };
        const check = (): void => {
          if ((seen.at(-1)?.seq ?? after) >= seq) settle(true);
          else if (failure !== null) settle(false);
        };
        const timer = setTimeout(() => settle(false), timeoutMs);
        waiting.add(check);
        check();
      }),
  };
}

function retryDelay(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, RETRY_DELAY_MS * (1 + Math.random())));
}

/** Whether the operation ended with `SERVICE_UNAVAILABLE`, after which clients should subscribe again. */
function isTemporary(error: unknown): boolean {
  return Array.isArray(error) && error.every((one) => one?.extensions?.code === 'SERVICE_UNAVAILABLE');
}

function describe(error: unknown): string {
  if (error instanceof Error) return error.message;
  if (typeof error === 'object' && error !== null && 'code' in error && 'reason' in error)
    return `closed with ${error.code} ${error.reason}`;
  return JSON.stringify(error);
}
