import type { BenchContext } from '../context.js';
import type { SentToEach } from '../load/watch.js';
import { PARLEY } from '../servers/targets.js';
import { withServer } from './with-server.js';

export interface Outage extends SentToEach {
  readonly rooms: number;
}

/** Measures a message to each of many watched rooms while Redis is away, so that the tick finds all of them. */
export function measureOutage(context: BenchContext): Promise<Outage> {
  return withServer(context, PARLEY, async ({ port }, load) => {
    const { testbed, scale, log } = context;
    const rooms = await testbed.manyRooms(scale.outage);
    await load.openWatch({ port, token: testbed.tokens[0] ?? '', rooms });
    await load.sendToEach(testbed.sender);
    await testbed.redis.kill();
    try {
      const sent = await load.sendToEach(testbed.sender);
      log(
        `${rooms.length} rooms without Redis: last delivery ${sent.lastDelivery.toFixed(0)} ms, worst send ${sent.worstSend.toFixed(0)} ms`,
      );
      return { ...sent, rooms: rooms.length };
    } finally {
      await testbed.redis.restart();
    }
  });
}
