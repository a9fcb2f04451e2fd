import { expect, test } from 'vitest';
import type { Window } from '../../../bench/load/windows.js';
import { measureInTurn } from '../../../bench/measure/fan-out.js';
import type { LoadKind } from '../../../bench/workloads.js';

const faultless: Window = {
  seconds: 1,
  count: 1,
  cpuMicros: 1,
  serverBusy: 1,
  coreBusy: 1,
  foreignBusy: 0,
  loadBusy: 0,
  p50: 1,
  p99: 1,
  faults: [],
  isSettled: true,
};

/** The calls for three loads, the second of which ends as given. */
async function measureThree(
  second: Partial<Window>,
  warmUp: Partial<Window> = {},
): Promise<readonly string[]> {
  const lines: string[] = [];
  await measureInTurn(
    ['rate', 'saturated', 'flood'],
    { ...faultless, ...warmUp },
    async (kind: LoadKind) => (kind === 'saturated' ? { ...faultless, ...second } : faultless),
    {
      onWindow: (kind, { faults }) => lines.push(`${kind} measured ${faults.join()}`.trim()),
      onFault: (kind, fault) => lines.push(`${kind} ${fault}`),
    },
  );
  return lines;
}

test('loads are measured one after the other, even after a fault, if all deliveries arrived', async () => {
  expect(await measureThree({ faults: ['twice'] })).toEqual([
    'rate measured',
    'saturated measured twice',
    'flood measured',
  ]);
});

test('a load that leaves messages undelivered is the last one to be measured', async () => {
  expect(await measureThree({ faults: ['late'], isSettled: false })).toEqual([
    'rate measured',
    'saturated measured late',
    'flood not measured: earlier messages were still undelivered',
  ]);
});

test('a fault during the warm-up affects the figures of all loads', async () => {
  expect(await measureThree({}, { faults: ['lost'], isSettled: false })).toEqual([
    'rate during the warm-up: lost',
    'saturated during the warm-up: lost',
    'flood during the warm-up: lost',
    'rate not measured: earlier messages were still undelivered',
    'saturated not measured: earlier messages were still undelivered',
    'flood not measured: earlier messages were still undelivered',
  ]);
});
