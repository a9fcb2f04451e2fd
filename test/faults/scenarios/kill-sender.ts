import { openTestRoom } from '../clients/test-room.js';
import type { Scenario } from '../scenario.js';

/**
 * The subscribers are on the other instance. Messages in flight to the killed instance have an unknown outcome, and are sent
 * again to the other one with the same `clientMessageId`. The faults are the kills.
 */
export const killSender: Scenario = {
  name: 'kill-sender',
  title: "kill -9 of the senders' instance during sends, retries with the same clientMessageId",
  async run(environment, scale) {
    const [subscribers, kills, between] = scale === 'full' ? [20, 10, 500] : [4, 1, 50];
    const [sending, watching] = await Promise.all([environment.start(), environment.start()]);
    const room = await openTestRoom(environment, {
      instances: [watching],
      subscribers,
      sendTo: [sending, watching],
    });
    const moments: number[] = [];
    let retries = 0;
    for (let kill = 1; kill <= kills; kill += 1) {
      const url = (_sender: number, failures: number) => (failures === 0 ? sending : watching).url;
      const load = room.send({ url, inFlight: 16 });
      await Promise.all([room.live(), load.acked(between)]);
      await sending.kill();
      moments.push(performance.now());
      await load.acked(2 * between);
      await load.finish();
      retries += load.retries;
      // After the last load the instance is not needed any more.
      if (kill < kills) await sending.restart();
    }
    if (retries < kills) throw new Error('No message was in flight during the kills.');
    return room.conclude({ moments });
  },
};
