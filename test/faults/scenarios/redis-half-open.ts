import { setTimeout as sleep } from 'node:timers/promises';
import { startTcpProxy } from '../../helpers/tcp-proxy.js';
import { openTestRoom } from '../clients/test-room.js';
import type { Scenario } from '../scenario.js';

/** Connections look alive, but deliver nothing. The faults are the begin and the end of the packet loss. */
export const redisHalfOpen: Scenario = {
  name: 'redis-half-open',
  title: 'Redis half-open: the network silently drops all packets for 20 s',
  async run(environment, scale) {
    const network = await startTcpProxy(environment.redis.port);
    try {
      const instances = await environment.startAll(2, { REDIS_URL: `redis://127.0.0.1:${network.port}` });
      const room = await openTestRoom(environment, { instances, subscribers: scale === 'full' ? 50 : 6 });
      const load = room.send({ inFlight: 8, pauseMs: 40 });
      await Promise.all([room.live(), load.acked(50)]);

      network.swallow();
      const lost = performance.now();
      await sleep(scale === 'full' ? 20_000 : 1000);
      // The short form is too short for the instances to notice it.
      const readiness = await Promise.all(instances.map((instance) => instance.isReady()));
      if (scale === 'full' && readiness.includes(true))
        throw new Error('An instance did not notice the packet loss.');
      network.restore();
      const back = performance.now();
      // Connections that lost packets stay silent: an instance must close them and open new ones.
      await Promise.all(instances.map((instance) => instance.ready(60_000)));
      const ready = performance.now() - back;
      await load.acked(load.sent.length + 50);
      return await room.conclude({
        moments: [lost, back],
        notes: `ready again after ${Math.round(ready)} ms`,
      });
    } finally {
      await network.stop();
    }
  },
};
