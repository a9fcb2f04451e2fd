import { at, openTestRoom } from '../clients/test-room.js';
import type { Scenario } from '../scenario.js';

/** A message that fills an envelope of the bus together with a few others, and a ring with a hundred. */
const TEXT = 'x'.repeat(4000);

/** The fault is the kill, in the middle of the burst. A third of the subscribers and of the senders are on that instance. */
export const longBurst: Scenario = {
  name: 'long-burst',
  title: 'burst of messages of 4,000 characters on three instances, one of which is killed with -9',
  async run(environment, scale) {
    const [subscribers, count] = scale === 'full' ? [150, 600] : [9, 60];
    const instances = await environment.startAll(3);
    const room = await openTestRoom(environment, { instances, subscribers });
    await room.send({ count: 1 }).finish();
    await room.live();
    const load = room.send({ count, inFlight: count / 2, text: TEXT });
    await load.acked(count / 3);

    await at(instances, 0).kill();
    const moment = performance.now();
    const outcome = await room.conclude({ moments: [moment] });
    const moved = room.subscribers.filter(({ losses }) => losses.length > 0).length;
    if (moved < subscribers / 3) throw new Error(`The kill affected only ${moved} subscribers.`);
    return outcome;
  },
};
