import { startTcpProxy } from '../../helpers/tcp-proxy.js';
import type { Scenario } from '../scenario.js';
import { setScene } from '../scene.js';

/**
 * The instance that sends reaches Redis through a network that swallows its packets, and is killed as soon as it has
 * acknowledged a message: committed, and published to nobody. Nothing else is sent, so the other instance can find the
 * message by its tick alone. The moments are the sending of these messages.
 */
export const crashBeforePublish: Scenario = {
  name: 'crash-before-publish',
  title: 'crash between commit and publish',
  async run(lab, scale) {
    const [screens, crashes] = scale === 'full' ? [50, 20] : [4, 1];
    const network = await startTcpProxy(lab.redis.port);
    try {
      const [sending, watching] = await Promise.all([
        lab.start({ REDIS_URL: `redis://127.0.0.1:${network.port}` }),
        lab.start(),
      ]);
      const scene = await setScene(lab, { instances: [watching], screens, sendTo: [sending, watching] });
      await scene.send({ count: 1 }).finish();
      await scene.live();

      const moments: number[] = [];
      for (let crash = 1; crash <= crashes; crash += 1) {
        network.swallow();
        moments.push(performance.now());
        const load = scene.send({ count: 1, url: () => sending.url });
        await load.finish();
        await sending.kill();
        const last = load.sent[0]?.acked?.seq ?? 0;
        const found = await Promise.all(scene.screens.map((screen) => screen.reached(last, 10_000)));
        // Later messages would bring it along.
        if (found.includes(false)) throw new Error('What nobody published was not found within 10 s.');
        network.restore();
        if (crash < crashes) await sending.restart();
      }
      return await scene.conclude({ moments });
    } finally {
      await network.stop();
    }
  },
};
