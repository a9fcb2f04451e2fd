import { Redis } from 'ioredis';
import { channelSubscribers, extra, type Holdings, untilEmpty } from '../../faults/environment/leftovers.js';
import { openFiles } from '../../faults/environment/process-stats.js';
import { createRoom, type Person, page, send } from '../../helpers/client.js';
import type { Targets } from '../../helpers/hostile/operations.js';
import { type HostileOptions, runHostile } from '../../helpers/hostile/run-hostile.js';
import type { Tally } from '../../helpers/hostile/verdict.js';
import type { Attack, Scale, Stage } from '../attack.js';
import type { Target } from '../target.js';
import { startWitness } from '../witness.js';

type Counts = Pick<HostileOptions, 'frames' | 'requests'>;

const COUNTS: Readonly<Record<Scale, Counts>> = {
  full: { frames: 100_000, requests: 20_000 },
  // For each of two seeds.
  short: { frames: 1000, requests: 250 },
};
/** Opens the database connections that the server keeps, so that its open files can be compared. */
const WARM_UP: Counts = { frames: 400, requests: 100 };
/** A seed that every run of the short form repeats, beside one that is new each time. */
const FIXED_SEED = 1;

/**
 * How many answers of a kind there are at least, for each frame or request. Input that the server refuses at its first byte
 * tests nothing behind it, and a run of such input looks as good as any other.
 */
const MIN_ANSWERS = {
  frames: {
    next: 0.03,
    'next with errors': 0.02,
    'error with errors': 0.01,
    complete: 0.03,
    'close 1002': 0.001,
    'close 4400': 0.001,
  },
  requests: { 'HTTP data': 0.05, 'HTTP 200': 0.1, 'HTTP 400': 0.05, 'HTTP BAD_USER_INPUT': 0.1 },
} as const;

/** Levels of the log at which nothing may be written because of a client. */
const ERROR_LINE = /^.*"level":(?:50|60|"error"|"fatal").*$/m;

export const hostileBytes: Attack = {
  name: 'hostile-bytes',
  title: 'mutated WebSocket frames and malformed HTTP requests, without rate limits',
  // With them, most of the input would be refused before it is read.
  settings: { RATE_LIMITS: 'off' },
  async run({ target, attacker, accounts: [account], bystander, roomId, scale, seed, only }: Stage) {
    if (!account) throw new Error('There are no accounts.');
    const { instance } = target;
    const server = { url: instance.url, localAddress: attacker.address };
    const targets = await targetsOf(account);
    const logged = instance.output().length;
    const witness = await startWitness(bystander, instance.webSocketUrl, roomId);
    const holdings = await openHoldings(target);
    try {
      await runHostile({ server, targets, seed: FIXED_SEED - 1, ...WARM_UP });
      await holdings.settle();
      const seeds = scale === 'short' && !only ? [FIXED_SEED, seed] : [seed];
      const answers: Tally = new Map();
      for (const each of seeds) {
        const tally = await runHostile({ server, targets, seed: each, ...COUNTS[scale], only });
        if (!only) requireAnswers(tally, COUNTS[scale], each);
        for (const [kind, number] of tally) answers.set(kind, (answers.get(kind) ?? 0) + number);
      }
      await holdings.check();
      const delivered = await witness.stop();
      const [line] = ERROR_LINE.exec(instance.output().slice(logged)) ?? [];
      if (line !== undefined) throw new Error(`--seed=${seed}: the server has logged ${line}`);
      if (only) return `only ${only.kind} ${only.index} of seed ${seed}: ${[...answers].join(', ')}`;
      return summary(COUNTS[scale], seeds, answers, delivered);
    } finally {
      holdings.close();
    }
  },
};

/** A room of the account, with a message after the cursor. */
async function targetsOf(account: Person): Promise<Targets> {
  const roomId = await createRoom(account);
  const { liveCursor: cursor } = await page(account, roomId);
  await send(account, roomId, 'hello');
  return { token: account.token, roomId, cursor };
}

function requireAnswers(tally: Tally, counts: Counts, seed: number): void {
  for (const input of ['frames', 'requests'] as const)
    for (const [kind, share] of Object.entries(MIN_ANSWERS[input])) {
      const number = tally.get(kind) ?? 0;
      if (number < share * counts[input])
        throw new Error(
          `--seed=${seed}: only ${number} × ${kind} for ${counts[input]} ${input}: they test little.`,
        );
    }
}

/** What the server holds for clients: the rooms that it watches, connections and other open files. */
async function openHoldings({ environment, instance }: Target) {
  const redis = new Redis(environment.redis.url);
  const channels = () => channelSubscribers(redis, environment.redisPrefix);
  const files = (): Holdings => new Map([['open files', openFiles(instance.pid)]]);
  const channelsBefore = await channels();
  let filesBefore = files();
  const channelsLeft = () =>
    untilEmpty('Subscriptions are left', async () => extra(channelsBefore, await channels()));
  return {
    /** Takes the open files of now as those that the server keeps. */
    async settle(): Promise<void> {
      await channelsLeft();
      filesBefore = files();
    },
    /** @throws Error if the server still holds more than before. */
    async check(): Promise<void> {
      await channelsLeft();
      await untilEmpty('Connections are left', async () => extra(filesBefore, files()));
    },
    close: () => redis.disconnect(),
  };
}

function summary({ frames, requests }: Counts, seeds: readonly number[], answers: Tally, delivered: number) {
  const sum = (kind: RegExp): string =>
    [...answers]
      .reduce((total, [name, number]) => total + (kind.test(name) ? number : 0), 0)
      .toLocaleString('en');
  return [
    `${frames.toLocaleString('en')} frames: ${sum(/^next$/)} results, ${sum(/with errors$/)} coded errors, ${sum(/^close/)} closes`,
    `${requests.toLocaleString('en')} requests: ${sum(/^HTTP data$/)} results, ${sum(/^HTTP [A-Z_]+$/)} coded errors`,
    `a member received all ${delivered} messages`,
    `seed ${seeds.join(' and ')}`,
  ].join('; ');
}
