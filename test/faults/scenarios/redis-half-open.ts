import { setTimeout as sleep } from 'node:timers/promises';
import { startTcpProxy } from '../../helpers/tcp-proxy.js';
import type { Scenario } from '../scenario.js';
import { setScene } from '../scene.js';

/** Connections that look alive and over which nothing comes. The moments are the loss of the packets and its end. */
export const redisHalfOpen: Scenario = {
  name: 'redis-half-open',
  title: 'Redis half-open: a network that swallows all packets for 20 s, without a word',
  async run(lab, scale) {
    const network = await startTcpProxy(lab.redis.port);
    try {
      const instances = await lab.startAll(2, { REDIS_URL: `redis://127.0.0.1:${network.port}` });
      const scene = await setScene(lab, { instances, screens: scale === 'full' ? 50 : 6 });
      const load = scene.send({ inFlight: 8, pauseMs: 40 });
      await Promise.all([scene.live(), load.acked(50)]);

      network.swallow();
      const lost = performance.now();
      await sleep(scale === 'full' ? 20_000 : 1000);
      // In the short form there was no time to notice it.
      const trusting = await Promise.all(instances.map((instance) => instance.isReady()));
      if (scale === 'full' && trusting.includes(true))
        throw new Error('An instance never noticed the silence.');
      network.restore();
      const back = performance.now();
      // Connections that lost packets stay mute: only who gives them up gets new ones.
      await Promise.all(instances.map((instance) => instance.ready(60_000)));
      const ready = performance.now() - back;
      await load.acked(load.sent.length + 50);
      return await scene.conclude({
        moments: [lost, back],
        notes: `ready again after ${Math.round(ready)} ms`,
      });
    } finally {
      await network.stop();
    }
  },
};
