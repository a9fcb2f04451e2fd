import {
  BUSY,
  cpuOf,
  faultIn,
  faultOf,
  isLimitedByServer,
  loadBusyOf,
  percent,
  perSecond,
  quantileOf,
  ratio,
  speedOf,
} from './figures.js';
import type { Window } from './load/windows.js';
import { GROWING, type LoadKind, MANY_ROOMS, type Part, room, type Shape } from './parts.js';
import { FLOOD, RATE, type Results } from './scenes.js';
import { type Contestant, FLOOR, PARLEY, YOGA } from './servers.js';
import { FEW, IDLE, type Idle, MANY, type Replays, SENDERS } from './single.js';
import { median } from './statistics.js';
import { figure, type Row } from './table.js';

/** Of what was measured, whatever of it there is. */
export interface Measured {
  readonly results: Results;
  readonly idle: readonly Idle[];
  readonly sends: {
    readonly websocket: readonly Window[];
    readonly http: readonly Window[];
    readonly websocketManyRooms: readonly Window[];
  };
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
    return {
      part,
      workload,
      value: ratio(ours, floors, cpuOf),
      unit: 'x',
      better: 'less',
      must,
      aim,
      note: `CPU per delivery: ${shown('Parley', ours)}, ${shown('floor', floors)}${speed}`,
      ...(kind === 'rate' ? rateFault : faultOf)([...ours, ...floors]),
    };
  }

  return [
    againstFloor(
      'rate-1000',
      'one room of 1,000, 10k deliveries/s: CPU against the floor',
      room(1000),
      'rate',
      1.15,
      1,
    ),
    againstFloor(
      'rate-2000',
      'one room of 2,000, 10k deliveries/s: CPU against the floor',
      room(2000),
      'rate',
      1.15,
      1,
    ),
    againstFloor(
      'rate-100',
      'one room of 100, 10k deliveries/s: CPU against the floor',
      room(100),
      'rate',
      1.3,
      1.15,
    ),
    againstFloor(
      'saturated',
      'one room of 1,000, saturated: CPU against the floor',
      room(1000),
      'saturated',
      0.5,
      0.3,
    ),
    floodRow(results.of(room(1000), 'flood', PARLEY)),
    againstFloor(
      'rooms',
      '100 rooms of 10, saturated: CPU against the floor',
      MANY_ROOMS,
      'saturated',
      1.4,
      1.15,
    ),
    ...yogaRows(results),
    {
      part: 'idle',
      workload: `an idle subscription, of ${IDLE.toLocaleString('en')}`,
      value: idle.length === 0 ? null : median(idle.map(({ bytesEach }) => bytesEach)) / 1024,
      unit: 'KB',
      better: 'less',
      must: 13,
      aim: 9,
      note: '(RSS with them - RSS warm without) / their number, after GC; KB of 1,024 bytes',
    },
    sendRow('sends-websocket', 'sendMessage over WebSocket, one room', sends.websocket, 120, 70),
    sendRow('sends-http', 'sendMessage over HTTP, one room', sends.http, 170, 100),
    sendRow(
      'sends-rooms',
      `sendMessage over WebSocket, ${SENDERS} rooms`,
      sends.websocketManyRooms,
      null,
      null,
    ),
    growthRow(results),
    ...replayRows(replays),
  ];
}

/** In a room of 5,000 there are two messages a second: so much lies at a window's edges. */
const SUSTAINED = 0.85;

function rateFault(windows: readonly Window[]): { readonly fault?: string } {
  const fault = faultOf(windows);
  const isSustained = windows.every(({ count, seconds }) => count / seconds >= SUSTAINED * RATE);
  return isSustained || fault.fault !== undefined ? fault : { fault: 'the rate was not sustained' };
}

function floodRow(windows: readonly Window[]): Row {
  const rates = windows.map(({ count, seconds }) => count / seconds);
  const wanted = FLOOD * 1000;
  const isSustained = windows.length > 0 && median(rates) >= 0.98 * wanted;
  const loadBusy = loadBusyOf(windows);
  const limited =
    loadBusy !== null && loadBusy >= BUSY
      ? `; the load's core was ${percent(loadBusy)} busy and adds to it`
      : '';
  const fault = faultOf(windows);
  return {
    part: 'flood',
    workload: `flood: ${FLOOD} messages/s into 1,000 subscribers, p99 from sending to arrival`,
    value: quantileOf(windows, 'p99'),
    unit: 'ms',
    better: 'less',
    must: 50,
    aim: 15,
    note: `${windows.length === 0 ? '–' : Math.round(median(rates)).toLocaleString('en')} deliveries/s, p50 ${quantileOf(windows, 'p50') ?? '–'} ms, ${windows.length === 0 ? '–' : figure(cpuOf(windows))} µs CPU each${limited}`,
    ...(isSustained || fault.fault !== undefined ? fault : { fault: 'not sustained' }),
  };
}

function yogaRows(results: Results): readonly Row[] {
  const of = (kind: LoadKind, contestant: Contestant) => results.of(room(1000), kind, contestant);
  const [ours, yogas] = [of('saturated', PARLEY), of('saturated', YOGA)];
  // Speed counts only where the server was what limited it; else what it takes of its core says what it could do.
  const comparable = [ours, yogas].every(isLimitedByServer);
  const atRate = [of('rate', PARLEY), of('rate', YOGA)] as const;
  return [
    {
      part: 'yoga',
      workload: 'one room of 1,000, 10k deliveries/s: less CPU than the ordinary Yoga pipeline',
      value: ratio(atRate[1], atRate[0], cpuOf),
      unit: 'x',
      better: 'more',
      must: 4,
      aim: null,
      note: `ordinary pipeline ${atRate[1].length === 0 ? '–' : figure(cpuOf(atRate[1]))} µs`,
      ...rateFault([...atRate[0], ...atRate[1]]),
    },
    {
      part: 'yoga',
      workload: `one room of 1,000, saturated: ${comparable ? 'deliveries/s' : 'less CPU'} against the ordinary Yoga pipeline`,
      value: comparable ? ratio(ours, yogas, perSecond) : ratio(yogas, ours, cpuOf),
      unit: 'x',
      better: 'more',
      must: 8,
      aim: 15,
      note: comparable
        ? `${speedOf('Parley', ours)}, ${speedOf('ordinary pipeline', yogas)}`
        : `CPU per delivery alone: ${speedOf('Parley', ours)}, ${speedOf('ordinary pipeline', yogas)}`,
      ...faultOf([...ours, ...yogas]),
    },
  ];
}

function sendRow(
  part: Part,
  workload: string,
  windows: readonly Window[],
  must: number | null,
  aim: number | null,
): Row {
  return {
    part,
    workload: `${workload}, ${SENDERS} connections, stored and published`,
    value: windows.length === 0 ? null : cpuOf(windows),
    unit: 'µs',
    better: 'less',
    must,
    aim,
    note: `CPU per message; ${speedOf('', windows).trim()}`,
    ...faultOf(windows),
  };
}

function growthRow(results: Results): Row {
  const cpus = GROWING.map((size) => {
    const windows = results.of(room(size), 'rate', PARLEY);
    return windows.length === 0 ? Number.NaN : cpuOf(windows);
  });
  const [smallest = Number.NaN, ...larger] = cpus;
  const growth = Math.max(...larger) / smallest;
  return {
    part: 'growth',
    workload: 'growth of CPU per delivery from 100 subscribers to up to 5,000, 10k deliveries/s',
    value: Number.isNaN(growth) ? null : growth,
    unit: 'x',
    better: 'less',
    must: 1.5,
    aim: null,
    note: GROWING.map(
      (size, index) =>
        `${size.toLocaleString('en')}: ${Number.isNaN(cpus[index]) ? '–' : figure(cpus[index] ?? 0)} µs`,
    ).join(', '),
    ...rateFault(GROWING.flatMap((size) => results.of(room(size), 'rate', PARLEY))),
  };
}

/** Garbage comes and goes by more than this; a history that is held in memory takes more too: some 100 MB. */
const CONSTANT_MB = 32;

function replayRows(replays: readonly Replays[]): readonly Row[] {
  const middle = (of: (replays: Replays) => number) =>
    replays.length === 0 ? null : median(replays.map(of));
  const faults = replays.flatMap(({ few, many }) => [...few.faults, ...many.faults]);
  const common = { part: 'replay', better: 'less', aim: null, ...faultIn(faults) } as const;
  const from = `from ${FEW.toLocaleString('en')} to ${MANY.toLocaleString('en')} messages`;
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
      must: CONSTANT_MB,
      note: '0 where it did not grow',
    },
  ];
}
