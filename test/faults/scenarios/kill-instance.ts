import { at, openTestRoom } from '../clients/test-room.js';
import type { Scenario } from '../scenario.js';

/** The fault is the kill. Half of the subscribers and half of the senders are on the killed instance. */
export const killInstance: Scenario = {
  name: 'kill-instance',
  title: 'kill -9 of one of two instances, 50 subscribers, 20,000 messages',
  async run(environment, scale) {
    const [subscribers, count] = scale === 'full' ? [50, 20_000] : [6, 200];
    const instances = await environment.startAll(2);
    const room = await openTestRoom(environment, { instances, subscribers });
    const load = room.send({ count, inFlight: 16 });
    await Promise.all([room.live(), load.acked(count / 2)]);

    await at(instances, 0).kill();
    const moment = performance.now();
    const outcome = await room.conclude({ moments: [moment] });
    const moved = room.subscribers.filter(({ losses }) => losses.length > 0).length;
    if (moved < subscribers / 2) throw new Error(`The kill affected only ${moved} subscribers.`);
    return outcome;
  },
};
