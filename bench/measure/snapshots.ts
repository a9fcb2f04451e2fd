import postgres from 'postgres';
import type { BenchContext } from '../context.js';
import type { Series } from '../load/send-series.js';
import { PARLEY } from '../servers/targets.js';
import { withServer } from './with-server.js';

/** Messages at the beginning and at the end that are compared. */
const COMPARED = 1000;

export interface SnapshotSeries extends Series {
  readonly count: number;
}

/** Measures sends to one room while a transaction holds a snapshot from before them, as `pg_dump` does. */
export function measureSnapshot(context: BenchContext): Promise<SnapshotSeries> {
  return withServer(context, PARLEY, async (server, load) => {
    const { testbed, scale, log } = context;
    const { roomId } = await testbed.newRoom();
    const options = { port: server.port, token: testbed.sender.token, compared: COMPARED };
    const warmUp = await testbed.newRoom();
    await load.sendSeries({ ...options, roomId: warmUp.roomId, count: COMPARED });
    const sql = postgres(testbed.env.DATABASE_URL ?? '', { max: 1 });
    const holder = await sql.reserve();
    try {
      await holder`begin isolation level repeatable read`;
      await holder`select count(*) from rooms`;
      const count = scale.snapshot;
      const series = await load.sendSeries({ ...options, roomId, count });
      log(`${count} sends under a snapshot: ${series.first.toFixed(2)} -> ${series.last.toFixed(2)} ms each`);
      await holder`rollback`;
      return { ...series, count };
    } finally {
      holder.release();
      await sql.end();
    }
  });
}
