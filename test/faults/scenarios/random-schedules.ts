import { setTimeout as sleep } from 'node:timers/promises';
import { signUp } from '../../helpers/client.js';
import { openStoresAt } from '../../helpers/stores.js';
import { runSchedule } from '../clients/schedule.js';
import { at } from '../clients/test-room.js';
import type { Environment } from '../environment/environment.js';
import type { Scenario } from '../scenario.js';
import { check } from '../verdict/check.js';

const REDIS_UP_MS = 3000;
const REDIS_DOWN_MS = 500;

/** Several schedules run concurrently, each with its own room and seed. In full, Redis is killed repeatedly during them. */
export const randomSchedules: Scenario = {
  name: 'random-schedules',
  title: '300 random schedules: a page plus its events equals a fresh page',
  keepsInstances: true,
  async run(environment, scale) {
    const [schedules, concurrency] = scale === 'full' ? [300, 6] : [6, 6];
    const firstSeed = Date.now() % 1_000_000;
    const instances = await environment.startAll(2);
    const [writer, other, guest] = await Promise.all([
      signUp(at(instances, 0).url),
      signUp(at(instances, 1).url),
      signUp(at(instances, 0).url),
    ]);
    const stores = openStoresAt({ url: environment.databaseUrl });
    const participants = { instances, stores, writers: [writer, other], guest };
    const outcome = { sent: 0, acked: 0, lost: 0, duplicated: 0, outOfOrder: 0, unseen: 0 };
    let begun = 0;
    let cuts = 0;

    const runSchedules = async (): Promise<void> => {
      while (begun < schedules) {
        const seed = firstSeed + begun;
        begun += 1;
        const roomName = `Schedule ${seed}`;
        const result = await runSchedule(participants, roomName, seed);
        const verdict = check(await environment.rows(roomName), result.acked, result.logs);
        cuts += result.cuts;
        outcome.sent += result.acked.length;
        outcome.acked += result.acked.length;
        for (const count of ['lost', 'duplicated', 'outOfOrder', 'unseen'] as const)
          outcome[count] += verdict[count];
      }
    };
    const over = new AbortController();
    const killing = scale === 'full' ? killRedis(environment, over.signal) : Promise.resolve(0);
    try {
      await Promise.all(Array.from({ length: concurrency }, runSchedules));
    } finally {
      over.abort();
      await killing;
      await stores.close();
    }
    const notes = `seeds from ${firstSeed}; readers disconnected ${cuts} times; Redis killed ${await killing} times`;
    return { ...outcome, recoveryMs: [], notes };
  },
};

/** Kills and restarts Redis until the signal, and returns how often. Redis is running in the end. */
async function killRedis({ redis }: Environment, over: AbortSignal): Promise<number> {
  let kills = 0;
  for (;;) {
    await sleep(REDIS_UP_MS, undefined, { signal: over }).catch(() => {});
    if (over.aborted) return kills;
    await redis.kill();
    await sleep(REDIS_DOWN_MS);
    await redis.restart();
    kills += 1;
  }
}
