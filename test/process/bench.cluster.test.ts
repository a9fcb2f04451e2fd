import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Lab } from '../../bench/lab.js';
import type { Window } from '../../bench/load/windows.js';
import type { LoadKind } from '../../bench/parts.js';
import { QUICK } from '../../bench/scale.js';
import { createResults, playScene } from '../../bench/scenes.js';
import { FLOOR, PARLEY, YOGA } from '../../bench/servers.js';
import { measureSends, SENDERS } from '../../bench/single.js';
import { openStage } from '../../bench/stage.js';
import { stopAll } from '../helpers/stopping.js';

/** Whether the bench still runs, and finds every server's deliveries complete. Its figures mean nothing here. */
const onLinux = process.platform === 'linux';
const kinds: readonly LoadKind[] = ['rate', 'saturated'];
const scene = {
  rooms: 2,
  readersPerRoom: 50,
  loads: new Map([FLOOR, PARLEY, YOGA].map((one) => [one, kinds])),
};

let lab: Lab;

beforeAll(async () => {
  if (!onLinux) return;
  const scale = { ...QUICK, shake: 0.1, warm: 0.1, rate: 0.5, saturated: 0.5, sendsWarm: 0.1, sends: 0.5 };
  lab = { stage: await openStage(SENDERS), cores: null, scale, profileFolder: null, say: () => {} };
}, 60_000);
afterAll(stopAll);

function expectSound(window: Window | undefined): void {
  expect(window?.faults).toEqual([]);
  expect(window?.count).toBeGreaterThan(0);
  expect(window?.cpuMicros).toBeGreaterThan(0);
}

test.runIf(onLinux).each([FLOOR, PARLEY, YOGA])(
  'the bench finds what $name delivers complete and in order',
  async (contestant) => {
    const results = createResults();
    await playScene(lab, scene, contestant, 1, results);
    for (const kind of kinds) expectSound(results.of(scene, kind, contestant)[0]);
  },
  60_000,
);

test.runIf(onLinux).each(['sends-websocket', 'sends-http', 'sends-rooms'] as const)(
  'the bench finds each message stored once: %s',
  async (part) => {
    expectSound(await measureSends(lab, part));
  },
  60_000,
);
