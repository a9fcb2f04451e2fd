import { setTimeout as sleep } from 'node:timers/promises';
import type { BenchContext } from '../context.js';
import { residentBytes } from '../machine/usage.js';
import { PARLEY } from '../servers/targets.js';
import { withServer } from './with-server.js';

const WARM_UP_SUBSCRIBERS = 100;
/** V8 returns memory to the system some time after a collection, not during it. */
const SETTLE_MS = 5000;

export interface Idle {
  readonly subscriptions: number;
  /** Memory per idle subscription, in bytes. */
  readonly bytesEach: number;
  readonly before: number;
  readonly after: number;
}

/** Measures the memory of idle subscriptions: socket, handshake and operation. */
export function measureIdle(context: BenchContext): Promise<Idle> {
  return withServer(context, PARLEY, async (server, load) => {
    const { testbed } = context;
    const crowd = {
      ports: [server.port],
      protocol: PARLEY.protocol,
      tokens: testbed.tokens,
      rooms: testbed.rooms.slice(0, 1),
      sender: testbed.sender,
      concurrency: 10,
    };
    const timing = {
      pids: [server.pid],
      cores: context.cores,
      warmUpSeconds: 0,
      seconds: context.scale.warmUp,
    };
    // A few busy subscribers first: the difference must not contain compiled code or the memory of traffic.
    await load.openCrowd({ ...crowd, subscribersPerRoom: WARM_UP_SUBSCRIBERS });
    await load.saturated({ outstanding: 4, timing });
    await load.closeCrowd();
    const settledBytes = async (): Promise<number> => {
      await sleep(SETTLE_MS);
      await server.collectGarbage();
      await sleep(SETTLE_MS);
      return residentBytes(server.pid);
    };
    const before = await settledBytes();
    const subscriptions = context.scale.idle;
    await load.openCrowd({ ...crowd, subscribersPerRoom: subscriptions });
    const after = await settledBytes();
    const idle = { subscriptions, bytesEach: (after - before) / subscriptions, before, after };
    context.log(
      `idle: ${subscriptions} subscriptions, ${before} -> ${after} bytes, ${idle.bytesEach.toFixed(0)} each`,
    );
    return idle;
  });
}
