import { setTimeout as sleep } from 'node:timers/promises';
import { openSocketOf, type RawSocket } from '../../helpers/raw-socket.js';
import { openTestRoom } from '../clients/test-room.js';
import { residentMb } from '../environment/process-stats.js';
import type { Scenario } from '../scenario.js';

/** The longest text allowed, with three bytes per character: a few hundred of them fill the network buffers of one socket. */
const LONG_TEXT = '€'.repeat(4000);
/** Memory for all blocked sockets together; each of them is sent several MB. */
const MAX_GROWTH_MB = 512;
/** An instance closes a socket that reads nothing for 10 s; it checks once per second, and may be busy. */
const STALL_TIMEOUT_MS = 15_000;
/** Before its end, a socket reads what the network has buffered for it: tens of MB on some machines. */
const CLOSE_TIMEOUT_MS = 60_000;

/** The number of sockets that stop reading, of subscribers that keep reading, and of long messages. */
type Size = readonly [blocked: number, subscribers: number, count: number];

/** The fault is that sockets stop reading. The other subscribers keep reading, and the memory of the instance stays bounded. */
function blockedSockets(name: string, title: string, full: Size, short: Size): Scenario {
  return {
    name,
    title,
    keepsInstances: true,
    async run(environment, scale) {
      const [blocked, subscribers, count] = scale === 'full' ? full : short;
      const instance = await environment.start();
      const room = await openTestRoom(environment, { instances: [instance], subscribers });
      await room.send({ count: 1 }).finish();
      await room.live();
      const sockets: RawSocket[] = [];
      for (let index = 0; index < blocked; index += 1) {
        const socket = await openSocketOf(room.owner, instance.webSocketUrl);
        socket.subscribe('1', { roomId: room.id, after: room.cursor });
        await socket.received('next', '1');
        socket.pause();
        sockets.push(socket);
      }

      const before = await residentMb(instance.pid);
      const moment = performance.now();
      await room.send({ count, inFlight: 8, text: LONG_TEXT }).finish();
      const growth = (await residentMb(instance.pid)) - before;
      if (growth > MAX_GROWTH_MB) throw new Error(`The instance grew by ${growth} MB.`);
      // In the short form the sockets are not blocked for long enough.
      if (scale === 'full') await assertClosed(sockets);
      for (const socket of sockets) socket.destroy();
      const outcome = await room.conclude({
        moments: [moment],
        notes: `the instance grew by ${growth} MB`,
      });
      if (outcome.recoveryMs.length !== subscribers)
        throw new Error('A subscriber has received nothing since the fault.');
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
  '1,000 blocked sockets next to 20 that read',
  [1000, 20, 600],
  [20, 3, 200],
);

/**
 * Checks that the instance has closed the blocked sockets. A socket that does not read does not notice its end either, so each
 * one resumes reading first and finds the end after the buffered data. A socket that was not closed stays open.
 */
async function assertClosed(sockets: readonly RawSocket[]): Promise<void> {
  await sleep(STALL_TIMEOUT_MS);
  for (const socket of sockets) socket.resume();
  const late = sleep(CLOSE_TIMEOUT_MS, null, { ref: false });
  const ends = await Promise.all(sockets.map(({ closed }) => Promise.race([closed, late])));
  const alive = ends.filter((end) => end === null).length;
  if (alive > 0) throw new Error(`${alive} of ${sockets.length} blocked sockets were never closed.`);
  const unexpected = ends.find((end) => end !== null && ![1006, 1013].includes(end.code));
  if (unexpected)
    throw new Error(`A blocked socket was closed with ${unexpected.code} ${unexpected.reason}.`);
}
