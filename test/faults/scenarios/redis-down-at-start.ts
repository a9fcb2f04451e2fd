import { setTimeout as sleep } from 'node:timers/promises';
import type { Scenario } from '../scenario.js';
import { setScene } from '../scene.js';

/** The moments are the first message, while Redis is still away, and its coming. */
export const redisDownAtStart: Scenario = {
  name: 'redis-down-at-start',
  title: 'Redis down when both instances start, and for 10 s more',
  async run(lab, scale) {
    await lab.redis.kill();
    try {
      const instances = await lab.startAll(2);
      const scene = await setScene(lab, { instances, screens: scale === 'full' ? 50 : 6 });
      const first = performance.now();
      const load = scene.send({ inFlight: 8, pauseMs: 40 });
      await scene.live();
      await sleep(scale === 'full' ? 10_000 : 500);
      await lab.redis.restart();
      const back = performance.now();
      await Promise.all(instances.map((instance) => instance.ready(30_000)));
      const ready = performance.now() - back;
      await load.acked(load.sent.length + 50);
      return await scene.conclude({
        moments: [first, back],
        notes: `ready ${Math.round(ready)} ms after Redis came`,
      });
    } finally {
      // Whatever went wrong: the next scenario finds it there.
      await lab.redis.restart();
    }
  },
};
