import { at, openTestRoom } from '../clients/test-room.js';
import type { Scenario } from '../scenario.js';

/** Messages that each subscriber misses. */
const MISSED = 50;

/** The fault is the start of the instance that all subscribers come back to: before it, there is nothing to deliver to them. */
export const massRestart: Scenario = {
  name: 'mass-restart',
  title: `restart of an instance, to which 1,000 clients come back, ${MISSED} messages behind`,
  async run(environment, scale) {
    const subscribers = scale === 'full' ? 1000 : 20;
    const [serving, sending] = await environment.startAll(2);
    if (!serving || !sending) throw new Error('Two instances are needed.');
    const room = await openTestRoom(environment, { instances: [serving], subscribers, sendTo: [sending] });
    await room.send({ count: 1 }).finish();
    await room.live();

    await serving.kill();
    await room.send({ count: MISSED }).finish();
    await serving.restart();
    const moment = performance.now();
    await room.send({ count: 1 }).finish();
    const outcome = await room.conclude({ moments: [moment] });
    const back = room.subscribers.filter(({ losses }) => losses.length > 0).length;
    if (back < subscribers) throw new Error(`Only ${back} of ${subscribers} clients lost their sockets.`);
    if (at(room.subscribers, 0).seen.length < MISSED) throw new Error('Nothing was missed.');
    return outcome;
  },
};
