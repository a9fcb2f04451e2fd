import { setTimeout as sleep } from 'node:timers/promises';
import { openTestRoom } from '../clients/test-room.js';
import type { Scenario } from '../scenario.js';

/** The faults are the first message, while Redis is down, and the start of Redis. */
export const redisDownAtStart: Scenario = {
  name: 'redis-down-at-start',
  title: 'Redis down when both instances start, and for 10 s more',
  async run(environment, scale) {
    await environment.redis.kill();
    try {
      const instances = await environment.startAll(2);
      const room = await openTestRoom(environment, { instances, subscribers: scale === 'full' ? 50 : 6 });
      const first = performance.now();
      const load = room.send({ inFlight: 8, pauseMs: 40 });
      await room.live();
      await sleep(scale === 'full' ? 10_000 : 500);
      await environment.redis.restart();
      const back = performance.now();
      await Promise.all(instances.map((instance) => instance.ready(30_000)));
      const ready = performance.now() - back;
      await load.acked(load.sent.length + 50);
      return await room.conclude({
        moments: [first, back],
        notes: `ready ${Math.round(ready)} ms after Redis started`,
      });
    } finally {
      // The next scenario needs a running Redis, even after a failure.
      await environment.redis.restart();
    }
  },
};
