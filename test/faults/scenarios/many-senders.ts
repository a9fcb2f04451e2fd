import { joinRoom, signUp } from '../../helpers/client.js';
import type { Scenario } from '../scenario.js';
import { at, setScene } from '../scene.js';

/** Nothing breaks: what is tested is the order of two instances' writes to one room. */
export const manySenders: Scenario = {
  name: 'many-senders',
  title: '50 senders on two instances into one room, 20,000 messages',
  keepsInstances: true,
  async run(lab, scale) {
    const [screens, senders, count] = scale === 'full' ? [20, 50, 20_000] : [4, 6, 200];
    const instances = await lab.startAll(2);
    const scene = await setScene(lab, { instances, screens });
    const people = await Promise.all(
      Array.from({ length: senders }, (_, index) => signUp(at(instances, index).url)),
    );
    for (const person of people) await joinRoom(person, scene.roomId);
    scene.send({ tokens: people.map(({ token }) => token), count });
    return scene.conclude();
  },
};
