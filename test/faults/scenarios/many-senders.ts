import { joinRoom, signUp } from '../../helpers/client.js';
import { at, openTestRoom } from '../clients/test-room.js';
import type { Scenario } from '../scenario.js';

/** Without a fault: tests the order of the writes of two instances to one room. */
export const manySenders: Scenario = {
  name: 'many-senders',
  title: '50 senders on two instances into one room, 20,000 messages',
  keepsInstances: true,
  async run(environment, scale) {
    const [subscribers, senders, count] = scale === 'full' ? [20, 50, 20_000] : [4, 6, 200];
    const instances = await environment.startAll(2);
    const room = await openTestRoom(environment, { instances, subscribers });
    const people = await Promise.all(
      Array.from({ length: senders }, (_, index) => signUp(at(instances, index).url)),
    );
    for (const person of people) await joinRoom(person, room.id);
    room.send({ tokens: people.map(({ token }) => token), count });
    return room.conclude();
  },
};
