import { createDice, type Dice } from '../random.js';
import { type Server, sendFrames, sendRequests } from './connections.js';
import { conversation } from './conversation.js';
import type { Targets } from './operations.js';
import { hostileRequest } from './requests.js';
import type { Tally } from './verdict.js';

/** One connection of a run: what it sends, and its number. */
export interface HostileCase {
  readonly kind: 'frames' | 'requests';
  readonly index: number;
}

export interface HostileOptions {
  readonly server: Server;
  readonly targets: Targets;
  /** The same seed sends the same bytes, apart from the token and the ids in them. */
  readonly seed: number;
  /** How many frames and requests to send, about. */
  readonly frames: number;
  readonly requests: number;
  /** Sends this one alone. */
  readonly only?: HostileCase | undefined;
}

const FRAMES_PER_CONNECTION = 10;
const CONCURRENCY = 5;

type Send = (server: Server, dice: Dice, targets: Targets, tally: Tally) => Promise<string | null>;

const SENDERS: Readonly<Record<HostileCase['kind'], Send>> = {
  frames: (server, dice, targets, tally) =>
    sendFrames(server, conversation(dice, targets, FRAMES_PER_CONNECTION), tally),
  requests: (server, dice, targets, tally) => sendRequests(server, hostileRequest(dice, targets), tally),
};

/**
 * Sends mutated WebSocket frames, then malformed HTTP requests. Resolves to how often each kind of answer came.
 *
 * @throws Error that says how to repeat the one case, if an answer is an error of the server or the server refuses to be
 *   connected to.
 */
export async function runHostile(options: HostileOptions): Promise<Tally> {
  const tally: Tally = new Map();
  const attempt = (each: HostileCase) => runCase(options, each, tally);
  if (options.only) await attempt(options.only);
  else {
    const conversations = Math.ceil(options.frames / FRAMES_PER_CONNECTION);
    await inParallel(conversations, (index) => attempt({ kind: 'frames', index }));
    await inParallel(options.requests, (index) => attempt({ kind: 'requests', index }));
  }
  return tally;
}

/** Every case has random numbers of its own, so that it can be repeated alone. */
async function runCase(
  { server, targets, seed }: HostileOptions,
  { kind, index }: HostileCase,
  tally: Tally,
): Promise<void> {
  const dice = createDice(Math.imul(seed, 1_000_003) + index);
  const problem = await SENDERS[kind](server, dice, targets, tally).catch(String);
  if (problem !== null) throw new Error(`--seed=${seed} --case=${kind}:${index}: ${problem}`);
}

async function inParallel(count: number, run: (index: number) => Promise<void>): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < count) {
      const index = next;
      next += 1;
      await run(index).catch((error: unknown) => {
        // The other workers stop too.
        next = count;
        throw error;
      });
    }
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, worker));
}
