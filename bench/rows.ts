import {
  BUSY,
  calm,
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
} from './figures.js';
import type { Window } from './load/windows.js';
import { GROWING, type LoadKind, MANY_ROOMS, type Part, room, type SendsPart, type Shape } from './parts.js';
import { FLOOD, RATE, type Results } from './scenes.js';
import { type Contestant, FLOOR, PARLEY, YOGA } from './servers.js';
import { type Idle, type Replays, SENDERS } from './single.js';
import { median } from './statistics.js';
import { figure, type Row } from './table.js';

/** Of what was measured, whatever of it there is. */
export interface Measured {
  readonly results: Results;
  readonly idle: readonly Idle[];
  readonly sends: Readonly<Record<SendsPart, readonly Window[]>>;
  readonly replays: readonly Replays[];
}

/** The rows of the bench's table that belong to these parts. */
export function rowsOf(measured: Measured, parts: ReadonlySet<Part>): readonly Row[] {
  return allRows(measured).filter(({ part }) => parts.has(part));
}

function allRows({ results, idle, sends, replays }: Measured): readonly Row[] {
  const shown = (name: string, windows: readonly Window[]) =>
    `${name} ${windows.length === 0 ? '–' : figure(cpuOf(windows))} µs`;

  function againstFloor(
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
      note: `CPU per delivery: ${shown('Parley', ours)}, ${shown('floor', floors)}${speed}${foreignNote(both)}`,
      ...(kind === 'rate' ? rateFault(both, faults) : faultIn(faults)),
    };
  }

  const [senders, stored] = [`${SENDERS} connections`, 'stored and published'];
  return [
    againstFloor('rate-1000', 'one room of 1,000, 10k deliveries/s', room(1000), 'rate', 1.15, 1),
    againstFloor('rate-2000', 'one room of 2,000, 10k deliveries/s', room(2000), 'rate', 1.15, 1),
    againstFloor('rate-100', 'one room of 100, 10k deliveries/s', room(100), 'rate', 1.3, 1.15),
    againstFloor('saturated', 'one room of 1,000, saturated', room(1000), 'saturated', 0.5, 0.3),
    floodRow(results),
    againstFloor('rooms', '100 rooms of 10, saturated', MANY_ROOMS, 'saturated', 1.4, 1.15),
    ...yogaRows(results),
    idleRow(idle),
    sendRow('sends-websocket', `sendMessage over WebSocket, one room, ${senders}, ${stored}`, sends, 120, 70),
    sendRow('sends-http', `sendMessage over HTTP, one room, ${senders}, ${stored}`, sends, 170, 100),
    sendRow(
      'sends-rooms',
      `sendMessage over WebSocket, ${SENDERS} rooms, ${senders}, ${stored}`,
      sends,
      null,
      null,
    ),
    growthRow(results),
    ...replayRows(replays),
  ];
}

/** In a room of 5,000 there are two messages a second: so much lies at a window's edges. */
const SUSTAINED = 0.85;

function rateFault(windows: readonly Window[], faults: readonly string[]): { readonly fault?: string } {
  const isSustained = calm(windows).every(({ count, seconds }) => count / seconds >= SUSTAINED * RATE);
  return faultIn(isSustained ? faults : [...faults, 'the rate was not sustained']);
}

function floodRow(results: Results): Row {
  const windows = results.of(room(1000), 'flood', PARLEY);
  const wanted = FLOOD * 1000;
  const isSustained = windows.length > 0 && perSecond(windows) >= 0.98 * wanted;
  const loadBusy = loadBusyOf(windows);
  const limited =
    loadBusy !== null && loadBusy >= BUSY
      ? `; the load's core was ${percent(loadBusy)} busy and adds to it`
      : '';
  const faults = results.faultsOf(room(1000), 'flood', [PARLEY]);
  return {
    part: 'flood',
    workload: `flood: ${FLOOD} messages/s into 1,000 subscribers, p99 from sending to arrival`,
    value: quantileOf(windows, 'p99'),
    unit: 'ms',
    better: 'less',
    must: 50,
    aim: 15,
    note: `${windows.length === 0 ? '–' : Math.round(perSecond(windows)).toLocaleString('en')} deliveries/s, p50 ${quantileOf(windows, 'p50') ?? '–'} ms, ${windows.length === 0 ? '–' : figure(cpuOf(windows))} µs CPU each${limited}${foreignNote(windows)}`,
    ...faultIn(isSustained ? faults : ['not sustained', ...faults]),
  };
}

function yogaRows(results: Results): readonly Row[] {
  const of = (kind: LoadKind, contestant: Contestant) => results.of(room(1000), kind, contestant);
  const [ours, yogas] = [of('saturated', PARLEY), of('saturated', YOGA)];
  // Speed counts only where the server was what limited it; else what it takes of its core says what it could do.
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
      note: `ordinary pipeline ${yogasAtRate.length === 0 ? '–' : figure(cpuOf(yogasAtRate))} µs${foreignNote([...oursAtRate, ...yogasAtRate])}`,
      ...rateFault([...oursAtRate, ...yogasAtRate], faultsAt('rate')),
    },
    {
      part: 'yoga',
      workload: `one room of 1,000, saturated: ${comparable ? 'deliveries/s' : 'less CPU'} against the ordinary Yoga pipeline`,
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

function idleRow(idle: readonly Idle[]): Row {
  return {
    part: 'idle',
    workload: `an idle subscription${idle[0] ? `, of ${idle[0].subscriptions.toLocaleString('en')}` : ''}`,
    value: idle.length === 0 ? null : median(idle.map(({ bytesEach }) => bytesEach)) / 1024,
    unit: 'KB',
    better: 'less',
    must: 13,
    aim: 9,
    note: '(RSS with them - RSS warm without) / their number, after GC; KB of 1,024 bytes',
  };
}

function sendRow(
  part: SendsPart,
  workload: string,
  sends: Measured['sends'],
  must: number | null,
  aim: number | null,
): Row {
  const windows = sends[part];
  return {
    part,
    workload,
    value: windows.length === 0 ? null : cpuOf(windows),
    unit: 'µs',
    better: 'less',
    must,
    aim,
    note: `CPU per message; ${speedOf('', windows).trim()}${foreignNote(windows)}`,
    ...faultIn(windows.flatMap(({ faults }) => faults)),
  };
}

function growthRow(results: Results): Row {
  const sizes = GROWING.map((readers) => {
    const windows = results.of(room(readers), 'rate', PARLEY);
    return { readers, windows, cpu: windows.length === 0 ? Number.NaN : cpuOf(windows) };
  });
  const all = sizes.flatMap(({ windows }) => windows);
  const [smallest = Number.NaN, ...larger] = sizes.map(({ cpu }) => cpu);
  const growth = Math.max(...larger) / smallest;
  const shown = sizes.map(
    ({ readers, cpu }) => `${readers.toLocaleString('en')}: ${Number.isNaN(cpu) ? '–' : figure(cpu)} µs`,
  );
  return {
    part: 'growth',
    workload: 'growth of CPU per delivery from 100 subscribers to up to 5,000, 10k deliveries/s',
    value: Number.isNaN(growth) ? null : growth,
    unit: 'x',
    better: 'less',
    must: 1.5,
    aim: null,
    note: `${shown.join(', ')}${foreignNote(all)}`,
    ...rateFault(
      all,
      GROWING.flatMap((readers) => results.faultsOf(room(readers), 'rate', [PARLEY])),
    ),
  };
}

/** Garbage comes and goes by less than this; a long history that is held in memory takes more: some 100 MB. */
const CONSTANT_MB = 32;
/** What is shorter would be lost in the garbage, even if it were held. */
const LONG = 100_000;

function replayRows(replays: readonly Replays[]): readonly Row[] {
  const middle = (of: (replays: Replays) => number) =>
    replays.length === 0 ? null : median(replays.map(of));
  const faults = replays.flatMap(({ few, many }) => [...few.faults, ...many.faults]);
  const common = { part: 'replay', better: 'less', aim: null, ...faultIn(faults) } as const;
  const [first] = replays;
  const isLong = first === undefined || first.many.count >= LONG;
  const from = first
    ? `from ${first.few.count.toLocaleString('en')} to ${first.many.count.toLocaleString('en')} messages`
    : 'from a short history to a long one';
  return [
    {
      ...common,
      workload: `replay: growth of CPU per message ${from}`,
      value: middle(({ few, many }) => many.cpuMicros / few.cpuMicros),
      unit: 'x',
      must: 1.5,
      note: `${middle(({ many }) => Math.round(many.cpuMicros)) ?? '–'} µs per message of the long one`,
    },
    {
      ...common,
      workload: `replay: growth of the largest RSS ${from}`,
      value: middle(({ few, many }) => Math.max(0, many.peakBytes - few.peakBytes) / 2 ** 20),
      unit: 'MB',
      must: isLong ? CONSTANT_MB : null,
      note: `0 where it did not grow${isLong ? '' : '; not held to a bound, since the history is short'}`,
    },
  ];
}
