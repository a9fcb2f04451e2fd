import { setTimeout as sleep } from 'node:timers/promises';
import { signUp } from '../../helpers/client.js';
import { openStoresAt } from '../../helpers/stores.js';
import { check } from '../check.js';
import type { Lab } from '../lab.js';
import type { Scenario } from '../scenario.js';
import { at } from '../scene.js';
import { playSchedule } from '../schedule.js';

const REDIS_UP_MS = 3000;
const REDIS_AWAY_MS = 500;

/** Many schedules, some at once, each in a room of its own with a seed of its own; in full, Redis is killed meanwhile. */
export const randomSchedules: Scenario = {
  name: 'random-schedules',
  title: '300 random schedules of act and apply: a page plus its events is a fresh page',
  keepsInstances: true,
  async run(lab, scale) {
    const [schedules, atOnce] = scale === 'full' ? [300, 6] : [6, 6];
    const firstSeed = Date.now() % 1_000_000;
    const instances = await lab.startAll(2);
    const [writer, other, guest] = await Promise.all([
      signUp(at(instances, 0).url),
      signUp(at(instances, 1).url),
      signUp(at(instances, 0).url),
    ]);
    const stores = openStoresAt({ url: lab.databaseUrl });
    const cast = { instances, stores, writers: [writer, other], guest };
    const outcome = { sent: 0, acked: 0, lost: 0, duplicated: 0, outOfOrder: 0, unseen: 0 };
    let begun = 0;
    let cuts = 0;

    const play = async (): Promise<void> => {
      while (begun < schedules) {
        const seed = firstSeed + begun;
        begun += 1;
        const roomName = `Schedule ${seed}`;
        const played = await playSchedule(cast, roomName, seed);
        const verdict = check(await lab.rows(roomName), played.acked, played.logs);
        cuts += played.cuts;
        outcome.sent += played.acked.length;
        outcome.acked += played.acked.length;
        for (const count of ['lost', 'duplicated', 'outOfOrder', 'unseen'] as const)
          outcome[count] += verdict[count];
      }
    };
    const over = new AbortController();
    const killing = scale === 'full' ? killRedis(lab, over.signal) : Promise.resolve(0);
    try {
      await Promise.all(Array.from({ length: atOnce }, play));
    } finally {
      over.abort();
      await killing;
      await stores.close();
    }
    const notes = `seeds from ${firstSeed}; readers cut off ${cuts} times; Redis killed ${await killing} times`;
    return { ...outcome, recoveryMs: [], notes };
  },
};

/** Now and then, until the signal; returns how often. Redis is there in the end. */
async function killRedis({ redis }: Lab, over: AbortSignal): Promise<number> {
  let kills = 0;
  for (;;) {
    await sleep(REDIS_UP_MS, undefined, { signal: over }).catch(() => {});
    if (over.aborted) return kills;
    await redis.kill();
    await sleep(REDIS_AWAY_MS);
    await redis.restart();
    kills += 1;
  }
}
