import { setTimeout as sleep } from 'node:timers/promises';
import { openSocketOf, type RawSocket } from '../../helpers/raw-socket.js';
import { residentMb } from '../figures.js';
import type { Scenario } from '../scenario.js';
import { setScene } from '../scene.js';

/** Three bytes a character, as long as a text may be: a few hundred fill what a network buffers for one socket. */
const LONG_TEXT = '€'.repeat(4000);
/** Kept for all blocked sockets together, in MB; each of them is sent several MB. */
const MAX_GROWTH_MB = 512;
/** An instance gives a socket up that takes nothing for 10 s; it looks once a second, and may be busy. */
const GIVEN_UP_AFTER_MS = 15_000;
const CLOSE_TIMEOUT_MS = 10_000;

/** How many sockets stop reading, how many screens go on, and how many long messages they are sent. */
type Size = readonly [blocked: number, screens: number, count: number];

/** The moment is when they stop to read. The screens go on, and the instance keeps little of what the others don't take. */
function blockedSockets(name: string, title: string, full: Size, short: Size): Scenario {
  return {
    name,
    title,
    keepsInstances: true,
    async run(lab, scale) {
      const [blocked, screens, count] = scale === 'full' ? full : short;
      const instance = await lab.start();
      const scene = await setScene(lab, { instances: [instance], screens });
      await scene.send({ count: 1 }).finish();
      await scene.live();
      const sockets: RawSocket[] = [];
      for (let index = 0; index < blocked; index += 1) {
        const socket = await openSocketOf(scene.person, instance.webSocketUrl);
        socket.subscribe('1', { roomId: scene.roomId, after: scene.cursor });
        await socket.received('next', '1');
        socket.pause();
        sockets.push(socket);
      }

      const before = await residentMb(instance.pid);
      const moment = performance.now();
      await scene.send({ count, inFlight: 8, text: LONG_TEXT }).finish();
      const growth = (await residentMb(instance.pid)) - before;
      if (growth > MAX_GROWTH_MB) throw new Error(`The instance grew by ${growth} MB.`);
      // In the short form they have not been blocked for long enough.
      if (scale === 'full') await closedByInstance(sockets);
      for (const socket of sockets) socket.destroy();
      const outcome = await scene.conclude({
        moments: [moment],
        notes: `the instance grew by ${growth} MB`,
      });
      if (outcome.recoveryMs.length !== screens) throw new Error('A screen has shown nothing since.');
      return outcome;
    },
  };
}

export const oneBlocked = blockedSockets(
  'one-blocked',
  'one blocked socket among 200',
  [1, 199, 1500],
  [1, 6, 300],
);

export const manyBlocked = blockedSockets(
  'many-blocked',
  '1,000 blocked sockets beside 20 that read',
  [1000, 20, 600],
  [20, 3, 200],
);

/**
 * A socket that reads nothing doesn't notice its end either: in the end it reads on, and finds the end behind what had come
 * through. One that the instance had not given up by then would go on living.
 */
async function closedByInstance(sockets: readonly RawSocket[]): Promise<void> {
  await sleep(GIVEN_UP_AFTER_MS);
  for (const socket of sockets) socket.resume();
  const late = sleep(CLOSE_TIMEOUT_MS, null, { ref: false });
  const ends = await Promise.all(sockets.map(({ closed }) => Promise.race([closed, late])));
  const alive = ends.filter((end) => end === null).length;
  if (alive > 0) throw new Error(`${alive} of ${sockets.length} blocked sockets were never given up.`);
  const odd = ends.find((end) => end !== null && ![1006, 1013].includes(end.code));
  if (odd) throw new Error(`A blocked socket was closed with ${odd.code} ${odd.reason}.`);
}
