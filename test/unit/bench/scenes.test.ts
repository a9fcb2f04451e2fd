import { expect, test } from 'vitest';
import type { Window } from '../../../bench/load/windows.js';
import type { LoadKind } from '../../../bench/parts.js';
import { measureInTurn } from '../../../bench/scenes.js';

const calm: Window = {
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

/** What is told of three loads, the second of which ends as given. */
async function told(second: Partial<Window>, warmUp: Partial<Window> = {}): Promise<readonly string[]> {
  const lines: string[] = [];
  await measureInTurn(
    ['rate', 'saturated', 'flood'],
    { ...calm, ...warmUp },
    async (kind: LoadKind) => (kind === 'saturated' ? { ...calm, ...second } : calm),
    {
      onWindow: (kind, { faults }) => lines.push(`${kind} measured ${faults.join()}`.trim()),
      onFault: (kind, fault) => lines.push(`${kind} ${fault}`),
    },
  );
  return lines;
}

test('loads are measured one after the other, whatever goes wrong that is over', async () => {
  expect(await told({ faults: ['twice'] })).toEqual([
    'rate measured',
    'saturated measured twice',
    'flood measured',
  ]);
});

test('a load that leaves something to deliver is the last one', async () => {
  expect(await told({ faults: ['late'], isSettled: false })).toEqual([
    'rate measured',
    'saturated measured late',
    'flood not measured, since what came before was not over',
  ]);
});

test('what went wrong while warming up spoils all figures', async () => {
  expect(await told({}, { faults: ['lost'], isSettled: false })).toEqual([
    'rate while warming up: lost',
    'saturated while warming up: lost',
    'flood while warming up: lost',
    'rate not measured, since what came before was not over',
    'saturated not measured, since what came before was not over',
    'flood not measured, since what came before was not over',
  ]);
});
