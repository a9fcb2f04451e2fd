import { startTcpProxy } from '../../helpers/tcp-proxy.js';
import { openTestRoom } from '../clients/test-room.js';
import type { Scenario } from '../scenario.js';

/**
 * The sending instance reaches Redis through a network that drops its packets, and is killed as soon as it has acknowledged a
 * message: the message is committed, but not published. Nothing else is sent, so the other instance can find the message only
 * by its periodic comparison with the database. The faults are the sends of these messages.
 */
export const crashBeforePublish: Scenario = {
  name: 'crash-before-publish',
  title: 'crash between commit and publish',
  async run(environment, scale) {
    const [subscribers, crashes] = scale === 'full' ? [50, 20] : [4, 1];
    const network = await startTcpProxy(environment.redis.port);
    try {
      const [sending, watching] = await Promise.all([
        environment.start({ REDIS_URL: `redis://127.0.0.1:${network.port}` }),
        environment.start(),
      ]);
      const room = await openTestRoom(environment, {
        instances: [watching],
        subscribers,
        sendTo: [sending, watching],
      });
      await room.send({ count: 1 }).finish();
      await room.live();

      const moments: number[] = [];
      for (let crash = 1; crash <= crashes; crash += 1) {
        network.swallow();
        moments.push(performance.now());
        const load = room.send({ count: 1, url: () => sending.url });
        await load.finish();
        await sending.kill();
        const last = load.sent[0]?.acked?.seq ?? 0;
        const found = await Promise.all(
          room.subscribers.map((subscriber) => subscriber.reached(last, 10_000)),
        );
        // Before anything else is sent: a later message would reveal this one.
        if (found.includes(false)) throw new Error('The unpublished message was not delivered within 10 s.');
        network.restore();
        if (crash < crashes) await sending.restart();
      }
      return await room.conclude({ moments });
    } finally {
      await network.stop();
    }
  },
};
