import { openStoresAt } from '../../test/helpers/stores.js';
import type { BenchContext } from '../context.js';
import { median } from '../statistics.js';

/** Watched rooms whose heads are compared. */
export const COMPARED_ROOMS = 10_000;
/** Rooms per statement, as in a tick. */
const BATCH_SIZE = 2000;
const REPEATS = 5;

export interface Heads {
  readonly few: HeadsTime;
  readonly many: HeadsTime;
}

export interface HeadsTime {
  /** The number of rooms in the database. */
  readonly rooms: number;
  /** The time to compare the heads of `COMPARED_ROOMS` of them, in ms. */
  readonly ms: number;
}

/** Measures the comparison of all heads, as after a failure of the database, among few rooms and among many. */
export async function measureHeads({ testbed, scale, log }: BenchContext): Promise<Heads> {
  const stores = openStoresAt({ url: testbed.env.DATABASE_URL ?? '' });
  let rooms = 0;

  async function compareAmong(wanted: number): Promise<HeadsTime> {
    await testbed.quietRooms(wanted - rooms);
    rooms = wanted;
    const ids = await testbed.sampleOfRooms(COMPARED_ROOMS);
    const known = ids.map((roomId) => ({ roomId, head: { seq: 1, rev: 1 }, newestId: null }));
    const times: number[] = [];
    for (let repeat = 0; repeat <= REPEATS; repeat++) {
      const start = performance.now();
      for (let from = 0; from < known.length; from += BATCH_SIZE) {
        const { heads } = await stores.messages.compareHeads(known.slice(from, from + BATCH_SIZE));
        if (heads.size > 0) throw new Error(`${heads.size} of these heads are not true`);
      }
      // The first time prepares the statement.
      if (repeat > 0) times.push(performance.now() - start);
    }
    const ms = median(times);
    log(`heads of ${known.length} among ${wanted} rooms: ${ms.toFixed(1)} ms`);
    return { rooms: wanted, ms };
  }

  try {
    return { few: await compareAmong(scale.heads.few), many: await compareAmong(scale.heads.many) };
  } finally {
    await stores.close();
  }
}
