import type { Scenario } from '../scenario.js';
import { setScene } from '../scene.js';

/**
 * The screens are on the other instance. What was under way to the killed one has an unknown outcome, and is sent again to
 * the other by the same `clientMessageId`. The moments are the kills.
 */
export const killSender: Scenario = {
  name: 'kill-sender',
  title: "kill -9 of the senders' instance under way, retries by the same clientMessageId",
  async run(lab, scale) {
    const [screens, kills, between] = scale === 'full' ? [20, 10, 500] : [4, 1, 50];
    const [sending, watching] = await Promise.all([lab.start(), lab.start()]);
    const scene = await setScene(lab, { instances: [watching], screens, sendTo: [sending, watching] });
    const moments: number[] = [];
    let retries = 0;
    for (let kill = 1; kill <= kills; kill += 1) {
      const url = (_sender: number, failures: number) => (failures === 0 ? sending : watching).url;
      const load = scene.send({ url, inFlight: 16 });
      await Promise.all([scene.live(), load.acked(between)]);
      await sending.kill();
      moments.push(performance.now());
      await load.acked(2 * between);
      await load.finish();
      retries += load.retries;
      // The last load is finished: nobody needs it any more.
      if (kill < kills) await sending.restart();
    }
    if (retries < kills) throw new Error('The kills met no message under way.');
    return scene.conclude({ moments });
  },
};
