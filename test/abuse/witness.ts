import { setTimeout as sleep } from 'node:timers/promises';
import { MESSAGE_ADDED, type Person, page, send } from '../helpers/client.js';
import { openSocketOf } from '../helpers/raw-socket.js';

const INTERVAL_MS = 250;
const MAX_DELIVERY_MS = 5000;
const PAGE_SIZE = 100;
const ID = 'witness';

/** A member who sends over HTTP, and receives over WebSocket what everyone sends. */
export interface Witness {
  /**
   * Sends a last message. Resolves to the number of messages that were delivered.
   *
   * @throws Error if a message was refused, lost, repeated or out of order, or if pages over HTTP show others.
   */
  stop(): Promise<number>;
}

export async function startWitness(person: Person, webSocketUrl: string, roomId: string): Promise<Witness> {
  const socket = await openSocketOf(person, webSocketUrl);
  const first = await send(person, roomId, 'the first');
  socket.subscribe(ID, { roomId, after: first.cursor }, MESSAGE_ADDED);
  // From here on, the server watches the room for the witness.
  await send(person, roomId, 'the second');
  await within(socket.received('next', ID));
  const stopping = new AbortController();
  const { signal } = stopping;

  async function run(): Promise<void> {
    for (let count = 1; !signal.aborted; count += 1) {
      await send(person, roomId, `witness ${count}`);
      await sleep(INTERVAL_MS, undefined, { signal }).catch(() => {});
    }
  }

  const running = run();
  // Reported by `stop`.
  running.catch(() => {});
  return {
    async stop() {
      stopping.abort();
      await running;
      const last = await send(person, roomId, 'the last');
      // Numbers have no gaps, so the last one is the number of messages.
      const expected = Array.from(
        { length: last.node.seq - first.node.seq },
        (_, index) => first.node.seq + 1 + index,
      );
      const delivered = await within(socket.received('next', ID, expected.length));
      compare(
        'over WebSocket',
        delivered.map(({ payload }) => payload.data?.messageAdded.node.seq),
        expected,
      );
      // Without what others have sent since.
      const stored = (await seqsAfter(person, roomId, first.cursor)).filter((seq) => seq <= last.node.seq);
      compare('over HTTP', stored, expected);
      socket.destroy();
      return expected.length;
    },
  };
}

async function within<Result>(promise: Promise<Result>): Promise<Result> {
  const timer = new AbortController();
  const late = sleep(MAX_DELIVERY_MS, undefined, { signal: timer.signal }).then(() => {
    throw new Error(`The witness still lacks messages ${MAX_DELIVERY_MS} ms after the last one was sent.`);
  });
  // Aborted if the messages came in time.
  late.catch(() => {});
  try {
    return await Promise.race([promise, late]);
  } finally {
    timer.abort();
  }
}

function compare(how: string, found: readonly unknown[], expected: readonly number[]): void {
  const at = expected.findIndex((seq, index) => found[index] !== seq);
  if (at === -1 && found.length === expected.length) return;
  const [next, wanted] = at === -1 ? [found[expected.length], 'the end'] : [found[at], expected[at]];
  throw new Error(`The witness has received ${how} the message ${next} instead of ${wanted}.`);
}

async function seqsAfter(person: Person, roomId: string, cursor: string): Promise<number[]> {
  const seqs: number[] = [];
  let after: string | null = cursor;
  while (after !== null) {
    const { edges, pageInfo } = await page(person, roomId, { first: PAGE_SIZE, after });
    seqs.push(...edges.map(({ node }) => node.seq));
    after = pageInfo.hasNextPage ? pageInfo.endCursor : null;
  }
  return seqs;
}
