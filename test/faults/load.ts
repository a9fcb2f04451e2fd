import { setTimeout as sleep } from 'node:timers/promises';
import { request } from '../helpers/client.js';
import type { Placed } from './check.js';

/** A message as its sender knows it. Times are of this process' monotonic clock, in ms. */
export interface Sent {
  readonly clientMessageId: string;
  /** When the first attempt began. */
  readonly sentAt: number;
  /** Null until a server has said that it is stored. */
  acked: (Placed & { readonly at: number }) | null;
}

export interface LoadOptions {
  /** Access tokens; each person sends by itself. */
  readonly tokens: readonly string[];
  readonly roomId: string;
  /** Where the so-many-th sender sends to (from 0), after so many attempts of its own that failed. */
  readonly url: (sender: number, failures: number) => string;
  /** Messages in all; by default it goes on until it is finished. */
  readonly count?: number;
  /** How many messages of each person are under way at once. */
  readonly inFlight?: number;
  /** How long each of these waits between two messages, in ms. */
  readonly pauseMs?: number;
  /** What is written. */
  readonly text?: string;
}

/** Senders at work. */
export interface Load {
  readonly sent: readonly Sent[];
  /** Attempts that failed and were made again. */
  readonly retries: number;
  /** The longest that one attempt took to be answered, in ms. */
  readonly longestAttemptMs: number;
  /** Resolves when so many are acknowledged; rejects where a sender can't go on. */
  acked(count: number): Promise<void>;
  /** Begins nothing new, and resolves when all that was begun is acknowledged. With a `count`, that many. */
  finish(): Promise<void>;
}

interface Answer {
  readonly sendMessage: {
    readonly __typename: string;
    readonly edge?: { readonly node: Placed };
    readonly message?: string;
  };
}

const SEND = `mutation ($input: SendMessageInput!) {
  sendMessage(input: $input) {
    __typename
    ... on SendMessagePayload { edge { node { seq clientMessageId } } }
    ... on UserError { message }
  }
}`;

/** Longer than any time-out of the server's, so that a wait that is too long is seen as long as it is. */
const ATTEMPT_TIMEOUT_MS = 40_000;
/** No fault here lasts longer than this; a message that takes longer is not going to arrive. */
const MESSAGE_TIMEOUT_MS = 90_000;
const RETRY_MS = 50;

let loads = 0;

/**
 * Starts senders that try each message until it is acknowledged, always by the same `clientMessageId`: after a lost
 * connection, no answer in time, and `SERVICE_UNAVAILABLE`. Anything else ends the load with an error.
 */
export function startLoad(options: LoadOptions): Load {
  const { tokens, roomId, url, count = Number.POSITIVE_INFINITY, inFlight = 1, pauseMs = 0 } = options;
  const { text = 'hello' } = options;
  const name = `load-${++loads}`;
  const sent: Sent[] = [];
  const waiting = new Set<() => void>();
  let ackedCount = 0;
  let retries = 0;
  let longestAttemptMs = 0;
  let finishing = false;

  /** The acknowledgement, or null where it is to be tried again. */
  async function attempt(token: string, clientMessageId: string, to: string): Promise<Placed | null> {
    const start = performance.now();
    const signal = AbortSignal.timeout(ATTEMPT_TIMEOUT_MS);
    const input = { roomId, text, clientMessageId };
    const answer = await request<Answer>(to, SEND, { input }, token, signal).catch(() => null);
    longestAttemptMs = Math.max(longestAttemptMs, performance.now() - start);
    if (answer === null || answer.errors?.[0]?.extensions?.code === 'SERVICE_UNAVAILABLE') return null;
    const placed = answer.data?.sendMessage.edge?.node;
    if (placed?.clientMessageId !== clientMessageId)
      throw new Error(`A message was refused: ${JSON.stringify(answer)}`);
    return placed;
  }

  async function work(token: string, sender: number): Promise<void> {
    let failures = 0;
    while (!finishing && sent.length < count) {
      const message: Sent = {
        clientMessageId: `${name}-${sent.length + 1}`,
        sentAt: performance.now(),
        acked: null,
      };
      sent.push(message);
      for (;;) {
        const placed = await attempt(token, message.clientMessageId, url(sender, failures));
        if (placed) {
          message.acked = { ...placed, at: performance.now() };
          break;
        }
        if (performance.now() - message.sentAt > MESSAGE_TIMEOUT_MS)
          throw new Error(`A message was not taken in ${MESSAGE_TIMEOUT_MS} ms.`);
        retries += 1;
        failures += 1;
        await sleep(RETRY_MS);
      }
      ackedCount += 1;
      for (const check of waiting) check();
      if (pauseMs > 0) await sleep(pauseMs);
    }
  }

  const done = Promise.all(
    tokens.flatMap((token, index) =>
      Array.from({ length: inFlight }, (_, one) => work(token, index * inFlight + one)),
    ),
  ).then(() => {});
  done.catch(() => {
    finishing = true;
  });
  return {
    sent,
    get retries() {
      return retries;
    },
    get longestAttemptMs() {
      return longestAttemptMs;
    },
    acked: (wanted) => {
      const reached = new Promise<void>((resolve) => {
        const check = (): void => {
          if (ackedCount < wanted) return;
          waiting.delete(check);
          resolve();
        };
        waiting.add(check);
        check();
      });
      return Promise.race([reached, done]);
    },
    finish: () => {
      if (count === Number.POSITIVE_INFINITY) finishing = true;
      return done;
    },
  };
}
