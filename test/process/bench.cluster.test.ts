import { afterAll, beforeAll, expect, test } from 'vitest';
import type { BenchContext } from '../../bench/context.js';
import type { Window } from '../../bench/load/windows.js';
import { runWorkload } from '../../bench/measure/fan-out.js';
import { createResults } from '../../bench/measure/results.js';
import { measureSends, SENDERS, type Sends } from '../../bench/measure/sends.js';
import { QUICK } from '../../bench/scale.js';
import { FLOOR, PARLEY, YOGA } from '../../bench/servers/targets.js';
import { openTestbed } from '../../bench/testbed.js';
import type { LoadKind } from '../../bench/workloads.js';
import { stopAll } from '../helpers/stopping.js';

/** Runs the bench in a short form and checks that it finds all deliveries complete. Its figures mean nothing here. */
const onLinux = process.platform === 'linux';
const kinds: readonly LoadKind[] = ['rate', 'saturated'];
const workload = {
  rooms: 2,
  subscribersPerRoom: 50,
  loads: new Map([FLOOR, PARLEY, YOGA].map((one) => [one, kinds])),
};

let context: BenchContext;

beforeAll(async () => {
  if (!onLinux) return;
  const scale = {
    ...QUICK,
    initialWarmUp: 0.1,
    warmUp: 0.1,
    rate: 0.5,
    saturated: 0.5,
    sendsWarmUp: 0.1,
    sends: 0.5,
  };
  context = { testbed: await openTestbed(SENDERS), cores: null, scale, profileFolder: null, log: () => {} };
}, 60_000);
afterAll(stopAll);

function expectFaultless(window: Window | undefined): void {
  expect(window?.faults).toEqual([]);
  expect(window?.count).toBeGreaterThan(0);
  expect(window?.cpuMicros).toBeGreaterThan(0);
}

test.runIf(onLinux).each([FLOOR, PARLEY, YOGA])(
  'the bench finds the deliveries of $name complete and in order',
  async (target) => {
    const results = createResults();
    await runWorkload(context, workload, target, 1, results);
    for (const kind of kinds) expectFaultless(results.of(workload, kind, target)[0]);
  },
  60_000,
);

test.runIf(onLinux).each(['sends-websocket', 'sends-http', 'sends-rooms'] as const)(
  'the bench finds each message stored once: %s',
  async (part) => {
    const sends: Sends = { ours: [], theirs: [] };
    await measureSends(context, part, 1, sends);
    expectFaultless(sends.ours[0]);
    expectFaultless(sends.theirs[0]);
  },
  60_000,
);
