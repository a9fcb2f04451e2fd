import { expect, test } from 'vitest';
import { createResults } from '../../../bench/measure/results.js';
import { rowsOf } from '../../../bench/report/rows.js';
import { estimateSeconds, FULL, orderIn, QUICK } from '../../../bench/scale.js';
import { FLOOR, FLOOR_TWICE, PARLEY, PARLEY_TWICE, PEERS, YOGA } from '../../../bench/servers/targets.js';
import { PARTS, parseParts, workloadsOf } from '../../../bench/workloads.js';

const nothing = {
  results: createResults(),
  idle: [],
  sends: {
    'sends-websocket': { ours: [], theirs: [] },
    'sends-http': { ours: [], theirs: [] },
    'sends-rooms': { ours: [], theirs: [] },
  },
  replays: [],
  bursts: [],
  restarts: [],
  snapshots: [],
  outages: [],
  watched: [],
  heads: [],
};

/** `1 x 1000: floor rate+saturated, …`, for each workload. */
function describeWorkloads(list: string, peers: typeof PEERS = []): readonly string[] {
  return workloadsOf(parseParts(list), peers).map(
    ({ rooms, subscribersPerRoom, loads }) =>
      `${rooms} x ${subscribersPerRoom}: ${[...loads].map(([{ name }, kinds]) => `${name} ${kinds.join('+')}`).join(', ')}`,
  );
}

test('a name selects one part, or all parts that start with it', () => {
  expect([...parseParts('rate-100')]).toEqual(['rate-100']);
  expect([...parseParts('sends,rate')]).toEqual([
    'sends-websocket',
    'sends-http',
    'sends-rooms',
    'rate-1000',
    'rate-2000',
    'rate-100',
  ]);
  expect(() => parseParts('idle,nonsense')).toThrow(
    `There is no part "nonsense". There are: ${PARTS.join(', ')}.`,
  );
});

test('every part has rows, and only the rows of the selected parts are shown', () => {
  for (const part of PARTS) {
    const rows = rowsOf(nothing, new Set([part]));
    expect(rows.length).toBeGreaterThan(0);
    expect(rows.every((row) => row.part === part)).toBe(true);
  }
});

test('a workload contains only the loads that the selected parts need', () => {
  expect(describeWorkloads('flood')).toEqual(['1 x 1000: floor saturated, parley flood']);
  expect(describeWorkloads('flood,saturated')).toEqual(['1 x 1000: floor saturated, parley saturated+flood']);
  expect(describeWorkloads('rooms')).toEqual(['100 x 10: floor saturated, parley saturated']);
  expect(describeWorkloads('growth')).toEqual([
    '1 x 1000: parley rate',
    '1 x 2000: parley rate',
    '1 x 100: parley rate',
    '1 x 5000: parley rate',
  ]);
  expect(describeWorkloads('idle,sends,replay')).toEqual([]);
  expect(describeWorkloads(PARTS.join())[0]).toBe(
    `1 x 1000: ${FLOOR.name} rate+saturated, ${PARLEY.name} rate+saturated+flood, ${FLOOR_TWICE.name} rate, ${PARLEY_TWICE.name} rate, ${YOGA.name} rate+saturated`,
  );
});

test('peers take part wherever the ordinary pipeline does', () => {
  const peers = PEERS.filter(({ name }) => name === 'socket.io');
  expect(describeWorkloads('rate-1000', peers)).toEqual(['1 x 1000: floor rate, parley rate']);
  expect(describeWorkloads('yoga', peers)).toEqual([
    '1 x 1000: parley rate+saturated, yoga rate+saturated, socket.io rate+saturated',
  ]);
});

test('the second round reverses the order and skips the servers that are far from their bounds', () => {
  const [first, , , , last] = workloadsOf(new Set(PARTS), []);
  if (!first || !last) throw new Error('There are fewer than five workloads');
  expect(orderIn(1, first)).toEqual([FLOOR, PARLEY, FLOOR_TWICE, PARLEY_TWICE, YOGA]);
  expect(orderIn(2, first)).toEqual([PARLEY_TWICE, FLOOR_TWICE, PARLEY, FLOOR]);
  expect(orderIn(3, first)).toEqual([FLOOR, PARLEY, FLOOR_TWICE, PARLEY_TWICE, YOGA]);
  expect(orderIn(1, last)).toEqual([PARLEY]);
  expect(orderIn(2, last)).toEqual([]);
});

test('a full run takes about 22 minutes, a quick run about 5, and a single part less', () => {
  const all = new Set(PARTS);
  const workloads = workloadsOf(all, []);
  for (const [scale, minutes] of [
    [FULL, 22],
    [QUICK, 5],
  ] as const)
    expect(Math.abs(estimateSeconds(workloads, all, scale) / 60 / minutes - 1)).toBeLessThan(0.08);
  const idle = parseParts('idle');
  expect(estimateSeconds(workloadsOf(idle, []), idle, QUICK)).toBeLessThan(60);
});

test('windows at a fixed rate last at least 20 s in a full run', () => {
  expect(FULL.rate).toBeGreaterThanOrEqual(20);
});
