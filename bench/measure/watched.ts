import { setTimeout as sleep } from 'node:timers/promises';
import type { BenchContext } from '../context.js';
import { cpuSeconds } from '../machine/usage.js';
import { PARLEY } from '../servers/targets.js';
import { withServer } from './with-server.js';

/** Rooms that are watched before the measurement, so that the code is compiled. */
const WARM_UP_ROOMS = 300;
/** Rooms whose first subscriptions are measured. */
export const OPENED_ROOMS = 1000;
const IDLE_SECONDS = 10;

export interface Watched {
  /** The server's CPU time for the first subscription to a room, in ms. */
  readonly openMs: number;
  /** Rooms that are watched, and in which nothing happens. */
  readonly idleRooms: number;
  /** The server's CPU time meanwhile, in percent of a core. */
  readonly idlePercent: number;
}

/** Measures what a server spends on the first subscription to each of many rooms, and on rooms in which nothing happens. */
export function measureWatched(context: BenchContext): Promise<Watched> {
  return withServer(context, PARLEY, async ({ pid, port }, load) => {
    const { testbed, scale, log } = context;
    const token = testbed.tokens[0] ?? '';
    const watch = async (count: number): Promise<number> => {
      const rooms = await testbed.manyRooms(count);
      const before = cpuSeconds(pid);
      await load.openWatch({ port, token, rooms });
      return cpuSeconds(pid) - before;
    };
    await watch(WARM_UP_ROOMS);
    const openMs = ((await watch(OPENED_ROOMS)) * 1000) / OPENED_ROOMS;
    await watch(scale.watched - OPENED_ROOMS - WARM_UP_ROOMS);
    const before = cpuSeconds(pid);
    await sleep(IDLE_SECONDS * 1000);
    const idlePercent = ((cpuSeconds(pid) - before) / IDLE_SECONDS) * 100;
    log(
      `first subscription to a room: ${openMs.toFixed(2)} ms CPU; ${scale.watched} idle rooms: ${idlePercent.toFixed(1)}% of a core`,
    );
    return { openMs, idleRooms: scale.watched, idlePercent };
  });
}
