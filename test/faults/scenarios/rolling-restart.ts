import type { Scenario } from '../scenario.js';
import { setScene } from '../scene.js';

/** Each instance is told to stop and is started again, as a deployment does. The moments are each screen's lost sockets. */
export const rollingRestart: Scenario = {
  name: 'rolling-restart',
  title: 'rolling restart of both instances with 1,000 sockets',
  async run(lab, scale) {
    const [screens, drainSeconds, pauseMs] = scale === 'full' ? [1000, 5, 250] : [16, 1, 50];
    const instances = await lab.startAll(2, { DRAIN_SECONDS: String(drainSeconds) });
    const scene = await setScene(lab, { instances, screens });
    const load = scene.send({ inFlight: 2, pauseMs });
    await scene.live();

    for (const instance of instances) {
      await instance.leave();
      await instance.restart();
      await load.acked(load.sent.length + 4);
    }
    const losses = scene.screens.reduce((sum, screen) => sum + screen.losses.length, 0);
    // Each screen began on one of the two; the first half came back to the second instance, and was moved again.
    if (losses < screens) throw new Error(`Only ${losses} sockets were closed, of ${screens}.`);
    return scene.conclude({ lostSockets: true, notes: `${losses} sockets moved` });
  },
};
