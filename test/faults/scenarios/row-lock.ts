import { setTimeout as sleep } from 'node:timers/promises';
import postgres from 'postgres';
import { createRoom, send } from '../../helpers/client.js';
import type { Scenario } from '../scenario.js';
import { setScene } from '../scene.js';

/** Twice the `lock_timeout` of Parley's sessions: a wait behind other waiters, and one for the holder. */
const LOCK_WAIT_MS = 5000;
/** And some time for all else. */
const MAX_WAIT_MS = LOCK_WAIT_MS + 2000;
const OTHER_ROOM_TIMEOUT_MS = 2000;

/** The moments are the taking of the lock and its release. Another room must not notice. */
export const rowLock: Scenario = {
  name: 'row-lock',
  title: "another database client holds a room's row lock for 20 s and stalls",
  keepsInstances: true,
  async run(lab, scale) {
    const instances = await lab.startAll(2);
    const scene = await setScene(lab, { instances, screens: scale === 'full' ? 50 : 4 });
    const otherRoom = await createRoom(scene.person, 'Another room');
    const load = scene.send({ inFlight: 30, pauseMs: 40 });
    await Promise.all([scene.live(), load.acked(100)]);

    const sql = postgres(lab.databaseUrl, { max: 1 });
    let taken = 0;
    let otherMs = 0;
    try {
      await sql.begin(async (transaction) => {
        await transaction`select from rooms where name = ${scene.roomName} for update`;
        taken = performance.now();
        const until = taken + (scale === 'full' ? 20_000 : LOCK_WAIT_MS + 1000);
        while (performance.now() < until) {
          const start = performance.now();
          await send(scene.person, otherRoom, 'not held up');
          otherMs = Math.max(otherMs, performance.now() - start);
          await sleep(250);
        }
      });
    } finally {
      await sql.end();
    }
    const released = performance.now();
    await load.acked(load.sent.length + 100);

    const outcome = await scene.conclude({
      moments: [taken, released],
      notes: `a sender waited ${Math.round(load.longestAttemptMs)} ms at most for an answer, in another room ${Math.round(otherMs)} ms`,
    });
    if (load.retries === 0) throw new Error('The lock held nobody up.');
    if (load.longestAttemptMs > MAX_WAIT_MS)
      throw new Error(`A sender waited ${Math.round(load.longestAttemptMs)} ms for an answer.`);
    if (otherMs > OTHER_ROOM_TIMEOUT_MS)
      throw new Error(`A message to another room took ${Math.round(otherMs)} ms.`);
    return outcome;
  },
};
