import type { BenchContext } from '../context.js';
import type { SendsOptions } from '../load/send-messages.js';
import type { Window } from '../load/windows.js';
import { describeWindow } from '../report/figures.js';
import { PARLEY } from '../servers/targets.js';
import type { SendsPart } from '../workloads.js';
import { withServer } from './with-server.js';

export const SENDERS = 32;

const SENDS: Readonly<Record<SendsPart, { transport: SendsOptions['transport']; rooms: number }>> = {
  'sends-websocket': { transport: 'websocket', rooms: 1 },
  'sends-http': { transport: 'http', rooms: 1 },
  'sends-rooms': { transport: 'websocket', rooms: SENDERS },
};
// The type of the literal lists all of its keys.
export const SENDS_PARTS = Object.keys(SENDS) as readonly SendsPart[];

/** Measures `sendMessage` on the server under test: each message is stored, published and acknowledged. */
export function measureSends(context: BenchContext, part: SendsPart): Promise<Window> {
  const { testbed, cores, scale, log } = context;
  const { transport, rooms } = SENDS[part];
  return withServer(context, PARLEY, async ({ pid, port }, load) => {
    const window = await load.sendMessages({
      port,
      token: testbed.sender.token,
      rooms: testbed.rooms.slice(0, rooms),
      transport,
      connections: SENDERS,
      timing: { pid, cores, warmUpSeconds: scale.sendsWarmUp, seconds: scale.sends },
    });
    log(`${part}: ${describeWindow(window)}`);
    return window;
  });
}
