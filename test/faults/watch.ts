import { createClient } from 'graphql-ws';
import WebSocket from 'ws';
import { stopInTheEnd } from '../helpers/stopping.js';
import type { Placed, ScreenLog } from './check.js';

export interface Seen extends Placed {
  /** When it came, by this process' monotonic clock, in ms. */
  readonly at: number;
}

/** One screen: a standard client that always comes back and goes on where it was. */
export interface Screen extends ScreenLog {
  readonly seen: readonly Seen[];
  /** When its socket was lost, each time. */
  readonly losses: readonly number[];
  /** Why it has given up, which no screen ever may: told `complete`, or an error that is not to be tried again. */
  readonly failure: string | null;
  /** Resolves with true as soon as it has seen this or a later message; with false after the patience, or a failure. */
  reached(seq: number, timeoutMs: number): Promise<boolean>;
  stop(): void;
}

export interface ScreenOptions {
  /** Where to connect, asked again for each attempt. */
  readonly url: (attempt: number) => string;
  readonly token: string;
  readonly roomId: string;
  /** The cursor to start from, and its `seq`. */
  readonly cursor: string;
  readonly after: number;
}

interface Delivery {
  readonly messageAdded: { readonly cursor: string; readonly node: Placed };
}

const QUERY = `subscription ($roomId: ID!, $after: String) {
  messageAdded(roomId: $roomId, after: $after) { cursor node { seq clientMessageId } }
}`;

/** A client waits this long at least, in ms, and up to twice as long, so that not all come back at once. */
const RETRY_MS = 50;

/**
 * Opens a screen as the documentation tells frontends to: the graphql-ws client, retrying for ever, with `variables.after`
 * moved on in place by each delivery, since the client sends its variables again with each reconnect. Where the operation
 * ends with `SERVICE_UNAVAILABLE`, it subscribes again from where it was.
 */
export function openScreen({ url, token, roomId, cursor, after }: ScreenOptions): Screen {
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
    retryWait: retryPause,
    on: {
      connected: () => {
        connected = true;
      },
      closed: () => {
        // An attempt that failed is no loss.
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
          if (isPassing(error)) void retryPause().then(() => stopped || subscribe());
          else fail(describe(error));
        },
        complete: () => fail('told that the subscription is complete'),
      },
    );
  }

  const stop = (): void => {
    forget();
    stopped = true;
    unsubscribe();
    // In the middle of a retry it rejects, which is nobody's fault.
    void Promise.resolve(client.dispose()).catch(() => {});
  };
  const forget = stopInTheEnd(async () => stop());
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

function retryPause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, RETRY_MS * (1 + Math.random())));
}

/** Whether the operation ended with `SERVICE_UNAVAILABLE`: the documented answer is to subscribe again. */
function isPassing(error: unknown): boolean {
  return Array.isArray(error) && error.every((one) => one?.extensions?.code === 'SERVICE_UNAVAILABLE');
}

function describe(error: unknown): string {
  if (error instanceof Error) return error.message;
  if (typeof error === 'object' && error !== null && 'code' in error && 'reason' in error)
    return `closed with ${error.code} ${error.reason}`;
  return JSON.stringify(error);
}
