import type { Scenario } from '../scenario.js';
import { at, setScene } from '../scene.js';

/** The moment is the kill. Half of the screens are on the instance that goes, and half of the senders. */
export const killInstance: Scenario = {
  name: 'kill-instance',
  title: 'kill -9 of one of two instances, 50 subscribers, 20,000 messages',
  async run(lab, scale) {
    const [screens, count] = scale === 'full' ? [50, 20_000] : [6, 200];
    const instances = await lab.startAll(2);
    const scene = await setScene(lab, { instances, screens });
    const load = scene.send({ count, inFlight: 16 });
    await Promise.all([scene.live(), load.acked(count / 2)]);

    await at(instances, 0).kill();
    const moment = performance.now();
    const outcome = await scene.conclude({ moments: [moment] });
    const moved = scene.screens.filter(({ losses }) => losses.length > 0).length;
    if (moved < screens / 2) throw new Error(`The kill met ${moved} screens only.`);
    return outcome;
  },
};
