import { expect, test } from 'vitest';
import { barChart } from '../../../bench/chart.js';
import type { Window } from '../../../bench/load/windows.js';
import { type LoadKind, PARTS, scenesOf } from '../../../bench/parts.js';
import { type Measured, rowsOf } from '../../../bench/rows.js';
import { createResults } from '../../../bench/scenes.js';
import { FLOOR, PARLEY, YOGA } from '../../../bench/servers.js';
import { type Row, tableRow, verdictOf } from '../../../bench/table.js';

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

test('a row meets its aim, or its must, or falls short', () => {
  expect(verdictOf({ ...row, value: 1 })).toBe('ok');
  expect(verdictOf(row)).toBe('short of the aim');
  expect(verdictOf({ ...row, value: 1.2 })).toBe('FALLS SHORT');
  expect(verdictOf({ ...row, better: 'more', value: 1.2 })).toBe('ok');
  expect(verdictOf({ ...row, better: 'more', must: 8, aim: 15 })).toBe('FALLS SHORT');
});

test('a row without a figure falls short, unless nothing is asked of it', () => {
  expect(verdictOf({ ...row, value: null })).toBe('FALLS SHORT');
  expect(verdictOf({ ...row, value: null, must: null, aim: null })).toBe('');
});

test('a fault makes a row fall short, whatever its figure', () => {
  const faulty = { ...row, value: 0.5, fault: 'a message came twice' };
  expect(verdictOf(faulty)).toBe('FALLS SHORT');
  expect(tableRow(faulty)).toContain('a message came twice');
});

test('a row shows its figure and its bounds with their unit', () => {
  expect(tableRow(row)).toBe('| w | 1.10x | ≤ 1.15x | ≤ 1x | short of the aim | n |');
  expect(tableRow({ ...row, better: 'more', value: 9, unit: 'ms', aim: null, note: 'a|b' })).toBe(
    '| w | 9.00 ms | ≥ 1.15 ms |  | ok | a\\|b |',
  );
});

function measured(
  cpuMicros: (kind: LoadKind, name: string) => number,
  loadBusy = 0.5,
  faults: string[] = [],
) {
  const results = createResults();
  for (const scene of scenesOf(all, []))
    for (const [contestant, kinds] of scene.loads)
      for (const kind of kinds) {
        const each = cpuMicros(kind, contestant.name);
        const window: Window = {
          seconds: 10,
          count: { rate: 100_000, flood: 2_000_000, saturated: 1e7 / each }[kind],
          cpuMicros: each,
          serverBusy: 1,
          loadBusy,
          p50: 2,
          p99: 12,
          faults,
        };
        results.add(scene, kind, contestant, window);
      }
  return { results, idle: [], sends: { websocket: [], http: [], websocketManyRooms: [] }, replays: [] };
}

const cheap = (_kind: LoadKind, name: string) =>
  ({ [PARLEY.name]: 3, [FLOOR.name]: 10, [YOGA.name]: 48 })[name] ?? 0;

test('rows compare the servers by CPU per delivery, and the flood by its latency', () => {
  const fanOut = rows(measured(cheap)).slice(0, 8);
  expect(fanOut.map(({ value }) => value)).toEqual([0.3, 0.3, 0.3, 0.3, 12, 0.3, 16, 16]);
  expect(fanOut.map(verdictOf)).toEqual(Array(8).fill('ok'));
});

test('where the load was the limit, speed does not count', () => {
  const [, , , , , , , alone] = rows(measured(cheap, 0.99));
  expect(alone?.value).toBe(16);
  expect(alone?.workload).toContain('less CPU');
  expect(alone?.note).toContain('speed does not count');
});

test('every row that lost a message falls short', () => {
  const table = rows(measured(cheap, 0.5, ['message 9 came after 7']));
  expect(table.slice(0, 8).map(verdictOf)).toEqual(Array(8).fill('FALLS SHORT'));
});

test('a flood that is not sustained falls short, however fast the rest arrives', () => {
  const slow = measured(cheap);
  const scene = { rooms: 1, readersPerRoom: 1000, loads: new Map() };
  const [flood] = slow.results.of(scene, 'flood', PARLEY);
  const results = createResults();
  if (flood) results.add(scene, 'flood', PARLEY, { ...flood, count: 1_000_000 });
  expect(rows({ ...slow, results })[4]).toMatchObject({ value: 12, fault: 'not sustained' });
});

test('a fixed rate that is not sustained falls short', () => {
  const scene = { rooms: 1, readersPerRoom: 1000, loads: new Map() };
  const everything = measured(cheap);
  const [window] = everything.results.of(scene, 'rate', PARLEY);
  if (window) everything.results.add(scene, 'rate', PARLEY, { ...window, count: 50_000 });
  expect(rows(everything)[0]).toMatchObject({ value: 0.3, fault: 'the rate was not sustained' });
});

test('a chart has a bar for each server, the shortest first, and text that is escaped', () => {
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
