import type { Window } from '../load/windows.js';
import { FLOOD, RATE } from '../measure/fan-out.js';
import type { Results } from '../measure/results.js';
import { FLOOR, FLOOR_TWICE, NATIVE, PARLEY, PARLEY_TWICE, type Target, YOGA } from '../servers/targets.js';
import { GROWTH_SIZES, type LoadKind, MANY_ROOMS, type Part, room, type Shape } from '../workloads.js';
import {
  BUSY_THRESHOLD,
  cpuOf,
  faultIn,
  foreignNote,
  isLimitedByServer,
  loadBusyOf,
  percent,
  perSecond,
  quantileOf,
  ratio,
  speedOf,
  undisturbed,
} from './figures.js';
import { figure, type Row } from './table.js';

/** The rows about deliveries to many subscribers, in the order of the table. */
export function fanOutRows(results: Results): readonly Row[] {
  const againstFloor = (...args: Tail<Parameters<typeof floorRow>>) => floorRow(results, ...args);
  return [
    againstFloor('rate-1000', 'one room of 1,000, 10k deliveries/s', room(1000), 'rate', 1.05, 0.75),
    againstFloor('rate-2000', 'one room of 2,000, 10k deliveries/s', room(2000), 'rate', 1.15, 1),
    againstFloor('rate-100', 'one room of 100, 10k deliveries/s', room(100), 'rate', 1.3, 1.15),
    againstFloor('saturated', 'one room of 1,000, saturated', room(1000), 'saturated', 0.33, 0.27),
    ...floodRows(results),
    againstFloor('rooms', '100 rooms of 10, saturated', MANY_ROOMS, 'saturated', 1.1, 0.9),
    instancesRow(results),
    ...yogaRows(results),
  ];
}

type Tail<Args extends readonly unknown[]> = Args extends [unknown, ...infer Rest] ? Rest : never;

/** `12.3 µs`, or a dash without windows. */
function cpuText(windows: readonly Window[]): string {
  return `${windows.length === 0 ? '–' : figure(cpuOf(windows))} µs`;
}

function floorRow(
  results: Results,
  part: Part,
  workload: string,
  shape: Shape,
  kind: LoadKind,
  must: number,
  aim: number,
): Row {
  const [ours, floors] = [results.of(shape, kind, PARLEY), results.of(shape, kind, FLOOR)];
  const speed = kind === 'saturated' ? `; ${speedOf('Parley', ours)}, ${speedOf('floor', floors)}` : '';
  const both = [...ours, ...floors];
  const faults = results.faultsOf(shape, kind, [PARLEY, FLOOR]);
  return {
    part,
    workload: `${workload}: CPU against the floor`,
    value: ratio(ours, floors, ({ cpuMicros }) => cpuMicros),
    unit: 'x',
    better: 'less',
    must,
    aim,
    note: `CPU per delivery: Parley ${cpuText(ours)}, floor ${cpuText(floors)}${nativeNote(results, shape, kind)}${speed}${foreignNote(both)}`,
    ...(kind === 'rate' ? rateFault(both, faults) : faultIn(faults)),
  };
}

/** The native limit against the floor, if it was measured. */
function nativeNote(results: Results, shape: Shape, kind: LoadKind): string {
  const natives = results.of(shape, kind, NATIVE);
  const value = ratio(natives, results.of(shape, kind, FLOOR), ({ cpuMicros }) => cpuMicros);
  return value === null ? '' : `, native limit ${cpuText(natives)} (${figure(value)}x)`;
}

function instancesRow(results: Results): Row {
  const of = (target: Target) => results.of(room(1000), 'rate', target);
  const growth = (two: Target, one: Target) => ratio(of(two), of(one), ({ cpuMicros }) => cpuMicros);
  const [ours, floors] = [growth(PARLEY_TWICE, PARLEY), growth(FLOOR_TWICE, FLOOR)];
  const all = [PARLEY, PARLEY_TWICE, FLOOR, FLOOR_TWICE];
  const windows = all.flatMap(of);
  return {
    part: 'instances',
    workload:
      'two instances, each with half of a room of 1,000, 10k deliveries/s: CPU against one, relative to the floor',
    value: ours === null || floors === null ? null : ours / floors,
    unit: 'x',
    better: 'less',
    must: 1.1,
    aim: 1.03,
    note: `CPU per delivery: Parley ${cpuText(of(PARLEY_TWICE))} and ${cpuText(of(PARLEY))}, floor ${cpuText(of(FLOOR_TWICE))} and ${cpuText(of(FLOOR))}${foreignNote(windows)}`,
    ...rateFault(windows, results.faultsOf(room(1000), 'rate', all)),
  };
}

/** A room of 5,000 gets two messages per second, so a large share of them falls on the edges of a window. */
const MIN_RATE_SHARE = 0.85;

function rateFault(windows: readonly Window[], faults: readonly string[]): { readonly fault?: string } {
  const isSustained = undisturbed(windows).every(
    ({ count, seconds }) => count / seconds >= MIN_RATE_SHARE * RATE,
  );
  return faultIn(isSustained ? faults : [...faults, 'the rate was not sustained']);
}

function floodRows(results: Results): readonly Row[] {
  const windows = results.of(room(1000), 'flood', PARLEY);
  const wanted = FLOOD * 1000;
  const isSustained = windows.length > 0 && perSecond(windows) >= 0.98 * wanted;
  const loadBusy = loadBusyOf(windows);
  const limited =
    loadBusy !== null && loadBusy >= BUSY_THRESHOLD
      ? `; the load's core was ${percent(loadBusy)} busy, which adds to the latency`
      : '';
  const faults = results.faultsOf(room(1000), 'flood', [PARLEY]);
  const floors = results.of(room(1000), 'saturated', FLOOR);
  /** The CPU time that the floor needs to write to all subscribers once, in ms. */
  const passMs = floors.length === 0 ? null : cpuOf(floors);
  const pass = passMs === null ? '–' : `${figure(passMs)} ms`;
  const inPasses = (ms: number | null) => (ms === null || passMs === null ? null : ms / passMs);
  const p99 = quantileOf(windows, 'p99');
  const writeP99 = quantileOf(windows, 'writeP99');
  const common = {
    part: 'flood',
    unit: 'x',
    better: 'less',
    ...faultIn(isSustained ? faults : ['not sustained', ...faults]),
  } as const;
  const flood = `flood: ${FLOOD} messages/s into 1,000 subscribers`;
  return [
    {
      ...common,
      workload: `${flood}: p99 from sending to arrival, against one pass of the floor`,
      value: inPasses(p99),
      must: 5.4,
      aim: 1.6,
      note: `${p99 ?? '–'} ms; the floor writes to all subscribers in ${pass} of CPU; ${windows.length === 0 ? '–' : Math.round(perSecond(windows)).toLocaleString('en')} deliveries/s, p50 ${quantileOf(windows, 'p50') ?? '–'} ms, ${cpuText(windows)} CPU each${limited}${foreignNote([...windows, ...floors])}`,
    },
    {
      ...common,
      workload: 'the same in the server: p99 from the read of an envelope to the last write',
      value: inPasses(writeP99),
      must: 4,
      aim: 2,
      note: `${writeP99 === null ? '–' : figure(writeP99)} ms${foreignNote([...windows, ...floors])}`,
    },
  ];
}

function yogaRows(results: Results): readonly Row[] {
  const of = (kind: LoadKind, target: Target) => results.of(room(1000), kind, target);
  const [ours, yogas] = [of('saturated', PARLEY), of('saturated', YOGA)];
  // Speeds are compared only if the servers limited them; otherwise the CPU per delivery is.
  const comparable = [ours, yogas].every(isLimitedByServer);
  const [oursAtRate, yogasAtRate] = [of('rate', PARLEY), of('rate', YOGA)];
  const all = [...ours, ...yogas];
  const faultsAt = (kind: LoadKind) => results.faultsOf(room(1000), kind, [PARLEY, YOGA]);
  return [
    {
      part: 'yoga',
      workload: 'one room of 1,000, 10k deliveries/s: less CPU than the ordinary Yoga pipeline',
      value: ratio(yogasAtRate, oursAtRate, ({ cpuMicros }) => cpuMicros),
      unit: 'x',
      better: 'more',
      must: 4,
      aim: null,
      note: `ordinary pipeline ${cpuText(yogasAtRate)}${foreignNote([...oursAtRate, ...yogasAtRate])}`,
      ...rateFault([...oursAtRate, ...yogasAtRate], faultsAt('rate')),
    },
    {
      part: 'yoga',
      workload: `one room of 1,000, saturated: ${comparable ? 'more deliveries/s' : 'less CPU'} than the ordinary Yoga pipeline`,
      value: comparable
        ? ratio(ours, yogas, ({ count, seconds }) => count / seconds)
        : ratio(yogas, ours, ({ cpuMicros }) => cpuMicros),
      unit: 'x',
      better: 'more',
      must: 8,
      aim: 15,
      note: `${comparable ? '' : 'CPU per delivery alone: '}${speedOf('Parley', ours)}, ${speedOf('ordinary pipeline', yogas)}${foreignNote(all)}`,
      ...faultIn(faultsAt('saturated')),
    },
  ];
}

/** How CPU per delivery grows with the number of subscribers. */
export function growthRow(results: Results): Row {
  const sizes = GROWTH_SIZES.map((subscribers) => {
    const windows = results.of(room(subscribers), 'rate', PARLEY);
    return { subscribers, windows, cpu: windows.length === 0 ? Number.NaN : cpuOf(windows) };
  });
  const all = sizes.flatMap(({ windows }) => windows);
  const [smallest = Number.NaN, ...larger] = sizes.map(({ cpu }) => cpu);
  const growth = Math.max(...larger) / smallest;
  const shown = sizes.map(
    ({ subscribers, windows }) => `${subscribers.toLocaleString('en')}: ${cpuText(windows)}`,
  );
  return {
    part: 'growth',
    workload: 'CPU per delivery with up to 5,000 subscribers, relative to 100, 10k deliveries/s',
    value: Number.isNaN(growth) ? null : growth,
    unit: 'x',
    better: 'less',
    must: 1.5,
    aim: null,
    note: `${shown.join(', ')}${foreignNote(all)}`,
    ...rateFault(
      all,
      GROWTH_SIZES.flatMap((subscribers) => results.faultsOf(room(subscribers), 'rate', [PARLEY])),
    ),
  };
}
