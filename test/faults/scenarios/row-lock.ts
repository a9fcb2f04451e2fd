import { setTimeout as sleep } from 'node:timers/promises';
import postgres from 'postgres';
import { createRoom, send } from '../../helpers/client.js';
import { openTestRoom } from '../clients/test-room.js';
import type { Scenario } from '../scenario.js';

/** Twice the `lock_timeout` of Parley's sessions: one wait behind other waiters, and one for the holder. */
const LOCK_WAIT_MS = 5000;
/** Plus some time for everything else. */
const MAX_WAIT_MS = LOCK_WAIT_MS + 2000;
const OTHER_ROOM_TIMEOUT_MS = 2000;

/** The faults are the locking and the release. Another room must not be affected. */
export const rowLock: Scenario = {
  name: 'row-lock',
  title: "another database client holds a room's row lock for 20 s and stalls",
  keepsInstances: true,
  async run(environment, scale) {
    const instances = await environment.startAll(2);
    const room = await openTestRoom(environment, { instances, subscribers: scale === 'full' ? 50 : 4 });
    const otherRoom = await createRoom(room.owner, 'Another room');
    const load = room.send({ inFlight: 30, pauseMs: 40 });
    await Promise.all([room.live(), load.acked(100)]);

    const sql = postgres(environment.databaseUrl, { max: 1 });
    let lockedAt = 0;
    let otherMs = 0;
    try {
      await sql.begin(async (transaction) => {
        await transaction`select from rooms where name = ${room.name} for update`;
        lockedAt = performance.now();
        const until = lockedAt + (scale === 'full' ? 20_000 : LOCK_WAIT_MS + 1000);
        while (performance.now() < until) {
          const start = performance.now();
          await send(room.owner, otherRoom, 'not delayed');
          otherMs = Math.max(otherMs, performance.now() - start);
          await sleep(250);
        }
      });
    } finally {
      await sql.end();
    }
    const releasedAt = performance.now();
    await load.acked(load.sent.length + 100);

    const outcome = await room.conclude({
      moments: [lockedAt, releasedAt],
      notes: `a sender waited at most ${Math.round(load.longestAttemptMs)} ms for a response, in another room ${Math.round(otherMs)} ms`,
    });
    if (load.retries === 0) throw new Error('The lock delayed no sender.');
    if (load.longestAttemptMs > MAX_WAIT_MS)
      throw new Error(`A sender waited ${Math.round(load.longestAttemptMs)} ms for a response.`);
    if (otherMs > OTHER_ROOM_TIMEOUT_MS)
      throw new Error(`A message to another room took ${Math.round(otherMs)} ms.`);
    return outcome;
  },
};
