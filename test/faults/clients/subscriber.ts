import { type Client, createClient } from 'graphql-ws';
import WebSocket from 'ws';
import { stopAtEnd } from '../../helpers/stopping.js';
import type { DeliveryLog, MessageRef } from '../verdict/check.js';
import { runPublishedClient } from './published-client.js';

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

/**
 * Runs the client that the README publishes, which must never give up. Only its URL and its WebSocket differ, because it
 * moves between instances, in Node.
 */
export function openSubscriber({ url, token, roomId, cursor, after }: SubscriberOptions): Subscriber {
  const seen: Seen[] = [];
  const losses: number[] = [];
  const waiting = new Set<() => void>();
  let attempt = 0;
  let failure: string | null = null;
  let connected = false;
  let stopped = false;
  let client: Client | null = null;
  const wake = (): void => {
    for (const check of waiting) check();
  };
  const fail = (reason: string): void => {
    if (stopped) return;
    failure ??= reason;
    wake();
  };

  runPublishedClient({
    roomId,
    page: { liveCursor: cursor },
    currentToken: async () => token,
    show({ seq, clientMessageId }) {
      seen.push({ seq, clientMessageId, at: performance.now() });
      if (waiting.size > 0) wake();
    },
    showError: (error) => fail(describe(error)),
    createClient(options) {
      const created = createClient({
        ...options,
        url: () => url(attempt++),
        webSocketImpl: WebSocket,
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
      client = created;
      return {
        subscribe: (payload, sink) =>
          stopped
            ? () => {}
            : created.subscribe(payload, {
                ...sink,
                complete: () => fail('the server completed the subscription'),
              }),
      };
    },
  });

  const stop = (): void => {
    forget();
    stopped = true;
    // It rejects if the client is just retrying, which is not a failure.
    void Promise.resolve(client?.dispose()).catch(() => {});
  };
  const forget = stopAtEnd(async () => stop());
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

function describe(error: unknown): string {
  if (error instanceof Error) return error.message;
  if (typeof error === 'object' && error !== null && 'code' in error && 'reason' in error)
    return `closed with ${error.code} ${error.reason}`;
  return JSON.stringify(error);
}
