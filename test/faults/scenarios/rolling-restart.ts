import { openTestRoom } from '../clients/test-room.js';
import type { Scenario } from '../scenario.js';

/** Each instance is shut down and started again, as in a deployment. The faults are the lost sockets of each subscriber. */
export const rollingRestart: Scenario = {
  name: 'rolling-restart',
  title: 'rolling restart of both instances with 1,000 sockets',
  async run(environment, scale) {
    const [subscribers, drainSeconds, pauseMs] = scale === 'full' ? [1000, 5, 250] : [16, 1, 50];
    const instances = await environment.startAll(2, { DRAIN_SECONDS: String(drainSeconds) });
    const room = await openTestRoom(environment, { instances, subscribers });
    const load = room.send({ inFlight: 2, pauseMs });
    await room.live();

    for (const instance of instances) {
      await instance.shutDown();
      await instance.restart();
      await load.acked(load.sent.length + 4);
    }
    const losses = room.subscribers.reduce((sum, subscriber) => sum + subscriber.losses.length, 0);
    // Each subscriber started on one of the two; those of the first instance reconnected to the second and were moved again.
    if (losses < subscribers) throw new Error(`Only ${losses} of ${subscribers} sockets were closed.`);
    return room.conclude({ lostSockets: true, notes: `${losses} sockets moved` });
  },
};
