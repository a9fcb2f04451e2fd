import { setTimeout as sleep } from 'node:timers/promises';
import { openTestRoom } from '../clients/test-room.js';
import type { Scenario } from '../scenario.js';

/**
 * The faults are the kill and the restart. In between, the periodic comparison with the database delivers messages at most
 * about one second late.
 */
function redisKilled(seconds: number, shortMs: number): Scenario {
  return {
    name: `redis-killed-${seconds}s`,
    title: `Redis killed for ${seconds} s`,
    keepsInstances: true,
    async run(environment, scale) {
      const instances = await environment.startAll(2);
      const room = await openTestRoom(environment, { instances, subscribers: scale === 'full' ? 50 : 6 });
      const load = room.send({ inFlight: 8, pauseMs: 40 });
      await Promise.all([room.live(), load.acked(50)]);

      await environment.redis.kill();
      const killed = performance.now();
      await sleep(scale === 'full' ? seconds * 1000 : shortMs);
      await environment.redis.restart();
      const back = performance.now();
      await Promise.all(instances.map((instance) => instance.ready(30_000)));
      const ready = performance.now() - back;
      await load.acked(load.sent.length + 50);
      return room.conclude({ moments: [killed, back], notes: `ready again after ${Math.round(ready)} ms` });
    },
  };
}

export const redisKilledBriefly = redisKilled(2, 500);
export const redisKilledLong = redisKilled(30, 2000);
