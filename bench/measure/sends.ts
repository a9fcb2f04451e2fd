import type { BenchContext } from '../context.js';
import type { SendsOptions } from '../load/send-messages.js';
import { describeWindow, type RoundWindow } from '../report/figures.js';
import { PARLEY, STORE_FLOOR, type Target } from '../servers/targets.js';
import type { SendsPart } from '../workloads.js';
import { withServer } from './with-server.js';

export const SENDERS = 32;

interface SendsLoad {
  readonly target: Target;
  readonly transport: SendsOptions['transport'];
  readonly rooms: number;
}

/** What each part measures, and what it is compared with. */
const SENDS: Readonly<Record<SendsPart, readonly [ours: SendsLoad, theirs: SendsLoad]>> = {
  'sends-websocket': [
    { target: PARLEY, transport: 'websocket', rooms: 1 },
    { target: STORE_FLOOR, transport: 'websocket', rooms: 1 },
  ],
  'sends-http': [
    { target: PARLEY, transport: 'http', rooms: 1 },
    { target: STORE_FLOOR, transport: 'http', rooms: 1 },
  ],
  'sends-rooms': [
    { target: PARLEY, transport: 'websocket', rooms: SENDERS },
    { target: PARLEY, transport: 'websocket', rooms: 1 },
  ],
};
// The type of the literal lists all of its keys.
export const SENDS_PARTS = Object.keys(SENDS) as readonly SendsPart[];

/** The windows of all rounds of a part. */
export interface Sends {
  readonly ours: RoundWindow[];
  readonly theirs: RoundWindow[];
}

/** Measures `sendMessage` in one round: each message is stored, published and acknowledged. */
export async function measureSends(
  context: BenchContext,
  part: SendsPart,
  round: number,
  { ours, theirs }: Sends,
): Promise<void> {
  const [our, their] = SENDS[part];
  const measured = [
    [our, ours],
    [their, theirs],
  ] as const;
  for (const [load, windows] of round % 2 === 1 ? measured : measured.toReversed())
    windows.push({ ...(await measure(context, part, load)), round });
}

function measure(context: BenchContext, part: SendsPart, { target, transport, rooms }: SendsLoad) {
  const { testbed, cores, scale, log } = context;
  return withServer(context, target, async ({ pid, port }, load) => {
    const window = await load.sendMessages({
      port,
      token: testbed.sender.token,
      rooms: testbed.rooms.slice(0, rooms),
      transport,
      connections: SENDERS,
      timing: { pids: [pid], cores, warmUpSeconds: scale.sendsWarmUp, seconds: scale.sends },
    });
    log(`${part}, ${target.name}, ${rooms} rooms: ${describeWindow(window)}`);
    return window;
  });
}
