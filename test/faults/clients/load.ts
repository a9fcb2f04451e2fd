import { setTimeout as sleep } from 'node:timers/promises';
import { request } from '../../helpers/client.js';
import type { MessageRef } from '../verdict/check.js';

/** A message from its sender's point of view. Times are those of `performance.now()`, in ms. */
export interface Sent {
  readonly clientMessageId: string;
  /** The start of the first attempt. */
  readonly sentAt: number;
  /** Null until a server has acknowledged the message. */
  acked: (MessageRef & { readonly at: number }) | null;
}

export interface LoadOptions {
  /** Access tokens of the senders. */
  readonly tokens: readonly string[];
  readonly roomId: string;
  /** The URL for the sender at this index (from 0), given how many of its attempts have failed. */
  readonly url: (sender: number, failures: number) => string;
  /** The total number of messages. By default, sending continues until `finish`. */
  readonly count?: number;
  /** The number of messages of each person that are in flight concurrently. */
  readonly inFlight?: number;
  /** The pause of each sender between two messages, in ms. */
  readonly pauseMs?: number;
  /** The text of each message. */
  readonly text?: string;
}

/** Running senders. */
export interface Load {
  readonly sent: readonly Sent[];
  /** The number of attempts that failed and were retried. */
  readonly retries: number;
  /** The longest time that one attempt waited for its response, in ms. */
  readonly longestAttemptMs: number;
  /** Resolves when `count` messages are acknowledged; rejects if a sender fails. */
  acked(count: number): Promise<void>;
  /** Stops sending new messages, and resolves when all are acknowledged. With a `count`, sends the remaining ones first. */
  finish(): Promise<void>;
}

interface Answer {
  readonly sendMessage: {
    readonly __typename: string;
    readonly edge?: { readonly node: MessageRef };
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

/** Longer than any timeout of the server, so that a wait that is too long is measured in full. */
const ATTEMPT_TIMEOUT_MS = 40_000;
/** Longer than any fault; a message that takes longer never arrives. */
const MESSAGE_TIMEOUT_MS = 90_000;
const RETRY_DELAY_MS = 50;

let loads = 0;

/**
 * Starts senders that retry each message with the same `clientMessageId` until it is acknowledged: after a lost connection,
 * after a timeout and after `SERVICE_UNAVAILABLE`. Any other error ends the load.
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

  /** The acknowledgement, or null if the attempt must be retried. */
  async function attempt(token: string, clientMessageId: string, to: string): Promise<MessageRef | null> {
    const start = performance.now();
    const signal = AbortSignal.timeout(ATTEMPT_TIMEOUT_MS);
    const input = { roomId, text, clientMessageId };
    const answer = await request<Answer>(to, SEND, { input }, token, signal).catch(() => null);
    longestAttemptMs = Math.max(longestAttemptMs, performance.now() - start);
    if (answer === null || answer.errors?.[0]?.extensions?.code === 'SERVICE_UNAVAILABLE') return null;
    const stored = answer.data?.sendMessage.edge?.node;
    if (stored?.clientMessageId !== clientMessageId)
      throw new Error(`A message was rejected: ${JSON.stringify(answer)}`);
    return stored;
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
        const stored = await attempt(token, message.clientMessageId, url(sender, failures));
        if (stored) {
          message.acked = { ...stored, at: performance.now() };
          break;
        }
        if (performance.now() - message.sentAt > MESSAGE_TIMEOUT_MS)
          throw new Error(`A message was not acknowledged within ${MESSAGE_TIMEOUT_MS} ms.`);
        retries += 1;
        failures += 1;
        await sleep(RETRY_DELAY_MS);
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
