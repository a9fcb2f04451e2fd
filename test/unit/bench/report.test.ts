import { expect, test } from 'vitest';
import { createResults } from '../../../bench/measure/results.js';
import { barChart } from '../../../bench/report/chart.js';
import type { RoundWindow } from '../../../bench/report/figures.js';
import { type Measured, rowsOf } from '../../../bench/report/rows.js';
import { type Row, tableRow, verdictOf } from '../../../bench/report/table.js';
import { FLOOR, FLOOR_TWICE, NATIVE, PARLEY, PARLEY_TWICE, YOGA } from '../../../bench/servers/targets.js';
import { type LoadKind, PARTS, room, workloadsOf } from '../../../bench/workloads.js';

const all = new Set(PARTS);
const rows = (of: Measured) => rowsOf(of, all);

const row: Row = {
  part: 'idle',
  workload: 'w',
  value: 1.1,
  unit: 'x',
  better: 'less',
  must: 1.15,
  aim: 1,
  note: 'n',
};

test('a row meets its aim, only its must, or neither', () => {
  expect(verdictOf({ ...row, value: 1 })).toBe('ok');
  expect(verdictOf(row)).toBe('short of the aim');
  expect(verdictOf({ ...row, value: 1.2 })).toBe('FALLS SHORT');
  expect(verdictOf({ ...row, better: 'more', value: 1.2 })).toBe('ok');
  expect(verdictOf({ ...row, better: 'more', must: 8, aim: 15 })).toBe('FALLS SHORT');
});

test('a row without a figure falls short, unless it has no bounds', () => {
  expect(verdictOf({ ...row, value: null })).toBe('FALLS SHORT');
  expect(verdictOf({ ...row, value: null, must: null, aim: null })).toBe('');
});

test('a fault makes a row fall short, whatever its figure', () => {
  const faulty = { ...row, value: 0.5, fault: 'a message was delivered twice' };
  expect(verdictOf(faulty)).toBe('FALLS SHORT');
  expect(tableRow(faulty)).toContain('a message was delivered twice');
});

test('a row shows its figure and its bounds with their unit', () => {
  expect(tableRow(row)).toBe('| w | 1.10x | ≤ 1.15x | ≤ 1x | short of the aim | n |');
  expect(tableRow({ ...row, better: 'more', value: 9, unit: 'ms', aim: null, note: 'a|b' })).toBe(
    '| w | 9.00 ms | ≥ 1.15 ms |  | ok | a\\|b |',
  );
});

const NO_SENDS = {
  'sends-websocket': { ours: [], theirs: [] },
  'sends-http': { ours: [], theirs: [] },
  'sends-rooms': { ours: [], theirs: [] },
};

function measured(
  cpuMicros: (kind: LoadKind, name: string) => number,
  loadBusy = 0.5,
  faults: string[] = [],
  foreignBusy = 0.01,
) {
  const results = createResults();
  for (const workload of workloadsOf(all, []))
    for (const [target, kinds] of workload.loads)
      for (const kind of kinds) {
        const each = cpuMicros(kind, target.name);
        const window: RoundWindow = {
          round: 1,
          seconds: 10,
          count: { rate: 100_000, flood: 2_000_000, saturated: 1e7 / each }[kind],
          cpuMicros: each,
          serverBusy: 1,
          coreBusy: 1,
          foreignBusy,
          loadBusy,
          p50: 2,
          p99: 12,
          writeP99: 16,
          faults,
          isSettled: true,
        };
        results.add(workload, kind, target, window);
      }
  return {
    results,
    idle: [],
    sends: NO_SENDS,
    replays: [],
    bursts: [],
    restarts: [],
    snapshots: [],
    outages: [],
    watched: [],
    heads: [],
  };
}

const cheap = (_kind: LoadKind, name: string) =>
  ({ [PARLEY.name]: 3, [PARLEY_TWICE.name]: 3, [FLOOR.name]: 10, [FLOOR_TWICE.name]: 10, [YOGA.name]: 48 })[
    name
  ] ?? 0;

test('rows compare the servers by CPU per delivery, and the flood has a bound on its latency', () => {
  const fanOut = rows(measured(cheap)).slice(0, 10);
  expect(fanOut.map(({ value }) => value)).toEqual([0.3, 0.3, 0.3, 0.3, 1.2, 1.6, 0.3, 1, 16, 16]);
  expect(fanOut.flatMap((each) => (verdictOf(each) === 'ok' ? [] : [each.part]))).toEqual(['saturated']);
});

test('speed is not compared if the load was the limit', () => {
  const alone = rows(measured(cheap, 0.99))[9];
  expect(alone?.value).toBe(16);
  expect(alone?.workload).toContain('less CPU');
  expect(alone?.note).toContain('speed not compared');
});

test('every row with a fault falls short', () => {
  const table = rows(measured(cheap, 0.5, ['message 9 came after 7']));
  expect(table.slice(0, 10).map(verdictOf)).toEqual(Array(10).fill('FALLS SHORT'));
});

test('a flood that is not sustained falls short, however low its latency', () => {
  const slow = measured(cheap);
  const [flood] = slow.results.of(room(1000), 'flood', PARLEY);
  const results = createResults();
  const [floor] = slow.results.of(room(1000), 'saturated', FLOOR);
  if (flood) results.add(room(1000), 'flood', PARLEY, { ...flood, count: 1_000_000 });
  if (floor) results.add(room(1000), 'saturated', FLOOR, floor);
  expect(rows({ ...slow, results })[4]).toMatchObject({ value: 1.2, fault: 'not sustained' });
});

test('a fixed rate that is not sustained falls short', () => {
  const everything = measured(cheap);
  const [window] = everything.results.of(room(1000), 'rate', PARLEY);
  if (window) everything.results.add(room(1000), 'rate', PARLEY, { ...window, count: 50_000 });
  expect(rows(everything)[0]).toMatchObject({ value: 0.3, fault: 'the rate was not sustained' });
});

test('servers are compared within single rounds, and only within rounds that both took part in', () => {
  const everything = measured(cheap);
  const [first] = everything.results.of(room(1000), 'rate', PARLEY);
  if (!first) throw new Error('No window was measured');
  // The machine was slow for both in the second round; only Parley took part in the third one.
  everything.results.add(room(1000), 'rate', PARLEY, { ...first, round: 2, cpuMicros: 30 });
  everything.results.add(room(1000), 'rate', FLOOR, { ...first, round: 2, cpuMicros: 100 });
  everything.results.add(room(1000), 'rate', PARLEY, { ...first, round: 3, cpuMicros: 1000 });
  expect(rows(everything)[0]?.value).toBeCloseTo(0.3);
});

test("if other processes used the server's core, the row says so, and speed is not compared", () => {
  const disturbed = rows(measured(cheap, 0.5, [], 0.12))
    .slice(0, 10)
    .filter(({ unit }) => unit === 'x');
  for (const { note } of disturbed) expect(note).toContain("others took up to 12% of the server's core in");
  expect(disturbed.at(-1)?.note).toContain('speed not compared');
  for (const { note } of rows(measured(cheap, 0.5, [], 0.04))) expect(note).not.toContain('others took');
});

test("a window in which other processes used the server's core counts only if there is no other window", () => {
  const everything = measured(cheap);
  const [first] = everything.results.of(room(1000), 'rate', PARLEY);
  if (!first) throw new Error('No window was measured');
  for (const [round, foreignBusy] of [
    [2, 0.3],
    [3, 0.7],
  ] as const) {
    everything.results.add(room(1000), 'rate', PARLEY, {
      ...first,
      round,
      foreignBusy,
      cpuMicros: 50,
      count: 1,
    });
    everything.results.add(room(1000), 'rate', FLOOR, { ...first, round, cpuMicros: 10 });
  }
  expect(rows(everything)[0]).toMatchObject({ value: 0.3 });
  expect(rows(everything)[0]?.fault).toBeUndefined();
  expect(rows(everything)[0]?.note).toBe(
    "CPU per delivery: Parley 3.00 µs, floor 10.0 µs; others took up to 70% of the server's core in 2 of 6 windows",
  );
});

test('speed is compared if only the servers limited it', () => {
  expect(rows(measured(cheap))[9]).toMatchObject({
    value: 16,
    note: 'Parley 333,333/s, ordinary pipeline 20,833/s',
  });
});

test('a window that could not be measured makes its row fall short, and the row gives the reason', () => {
  const everything = measured(cheap);
  everything.results.addFault(room(1000), 'saturated', YOGA, 'not measured');
  const table = rows(everything);
  expect(table[9]).toMatchObject({ part: 'yoga', fault: 'yoga: not measured' });
  expect(verdictOf(table[9] ?? row)).toBe('FALLS SHORT');
  expect(table[3]?.fault).toBeUndefined();
});

test('the memory of a long replay has a bound, that of a short one has none', () => {
  const replay = (count: number, peakBytes: number) => ({
    count,
    startedAt: 0,
    deliveries: count,
    bytes: 100 * count,
    cpuSeconds: count / 1e5,
    seconds: 1,
    peakBytes,
    faults: [],
  });
  const verdicts = (length: number) =>
    rows({
      ...measured(cheap),
      replays: [
        {
          short: replay(10, 100e6),
          long: replay(length, 200e6),
          floor: replay(length, 100e6),
          selecting: { ...replay(1000, 100e6), transactions: 10 },
        },
      ],
    })
      .filter(({ part }) => part === 'replay')
      .map(verdictOf);
  expect(verdicts(100_000)).toEqual(['ok', 'ok', 'ok', 'FALLS SHORT']);
  expect(verdicts(20_000)).toEqual(['ok', 'ok', 'ok', '']);
});

test('sends are compared with the floor within single rounds', () => {
  const everything = measured(cheap);
  const [window] = everything.results.of(room(1000), 'rate', PARLEY);
  if (!window) throw new Error('No window was measured');
  const inRound = (round: number, cpuMicros: number) => ({ ...window, round, cpuMicros });
  const sends = {
    ...NO_SENDS,
    'sends-websocket': {
      ours: [inRound(1, 90), inRound(2, 200), inRound(3, 900)],
      theirs: [inRound(1, 100), inRound(2, 200), inRound(3, 100)],
    },
  };
  const [row] = rowsOf({ ...everything, sends }, new Set(['sends-websocket'] as const));
  expect(row).toMatchObject({ value: 1, unit: 'x' });
  expect(row?.note).toContain('CPU per message: Parley 200 µs, floor 100 µs');
});

test('the native limit is shown beside the floor, if it was measured', () => {
  const everything = measured(cheap);
  expect(rows(everything)[0]?.note).not.toContain('native');
  const [window] = everything.results.of(room(1000), 'rate', FLOOR);
  if (window) everything.results.add(room(1000), 'rate', NATIVE, { ...window, cpuMicros: 6 });
  expect(rows(everything)[0]?.note).toContain('native limit 6.00 µs (0.60x)');
});

test('a chart has a bar for each server, the shortest first, and its text is escaped', () => {
  const svg = barChart(
    [
      { label: 'a & b', value: 20, highlighted: false },
      { label: 'ours', value: 10, highlighted: true },
    ],
    { title: 'CPU', subtitle: '<less>', unit: 'µs' },
  );
  expect(svg.indexOf('ours<')).toBeLessThan(svg.indexOf('a &amp; b'));
  expect(svg).toContain('&lt;less&gt;');
  expect([...svg.matchAll(/<rect /g)]).toHaveLength(2);
});
