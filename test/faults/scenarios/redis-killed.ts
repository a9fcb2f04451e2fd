import { setTimeout as sleep } from 'node:timers/promises';
import type { Scenario } from '../scenario.js';
import { setScene } from '../scene.js';

/** The moments are the kill and the return. In between the tick delivers, about a second late at most. */
function redisKilled(seconds: number, shortMs: number): Scenario {
  return {
    name: `redis-killed-${seconds}s`,
    title: `Redis killed for ${seconds} s`,
    keepsInstances: true,
    async run(lab, scale) {
      const instances = await lab.startAll(2);
      const scene = await setScene(lab, { instances, screens: scale === 'full' ? 50 : 6 });
      const load = scene.send({ inFlight: 8, pauseMs: 40 });
      await Promise.all([scene.live(), load.acked(50)]);

      await lab.redis.kill();
      const killed = performance.now();
      await sleep(scale === 'full' ? seconds * 1000 : shortMs);
      await lab.redis.restart();
      const back = performance.now();
      await Promise.all(instances.map((instance) => instance.ready(30_000)));
      const ready = performance.now() - back;
      await load.acked(load.sent.length + 50);
      return scene.conclude({ moments: [killed, back], notes: `ready again after ${Math.round(ready)} ms` });
    },
  };
}

export const redisKilledBriefly = redisKilled(2, 500);
export const redisKilledLong = redisKilled(30, 2000);
