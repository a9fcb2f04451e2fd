import type { Window } from '../load/windows.js';
import type { Idle } from '../measure/idle.js';
import type { Replays } from '../measure/replays.js';
import type { Results } from '../measure/results.js';
import { SENDERS } from '../measure/sends.js';
import { median } from '../statistics.js';
import type { Part, SendsPart } from '../workloads.js';
import { fanOutRows, growthRow } from './fan-out-rows.js';
import { cpuOf, faultIn, foreignNote, speedOf } from './figures.js';
import type { Row } from './table.js';

/** Everything that was measured; parts that did not run are empty. */
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
  const [senders, stored] = [`${SENDERS} connections`, 'stored and published'];
  return [
    ...fanOutRows(results),
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

function idleRow(idle: readonly Idle[]): Row {
  return {
    part: 'idle',
    workload: `an idle subscription${idle[0] ? `, of ${idle[0].subscriptions.toLocaleString('en')}` : ''}`,
    value: idle.length === 0 ? null : median(idle.map(({ bytesEach }) => bytesEach)) / 1024,
    unit: 'KB',
    better: 'less',
    must: 13,
    aim: 9,
    note: '(RSS with the subscriptions − RSS of the warm process without them) / their number, after GC; KB of 1,024 bytes',
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

/** Garbage makes memory vary by less than this; holding a long history in memory would take some 100 MB. */
const MAX_GROWTH_MB = 32;
/** A shorter history, even if all of it were held in memory, could not be distinguished from garbage. */
const MIN_BOUNDED_COUNT = 100_000;

function replayRows(replays: readonly Replays[]): readonly Row[] {
  const medianOf = (figure: (replays: Replays) => number) =>
    replays.length === 0 ? null : median(replays.map(figure));
  const faults = replays.flatMap(({ short, long }) => [...short.faults, ...long.faults]);
  const common = { part: 'replay', better: 'less', aim: null, ...faultIn(faults) } as const;
  const [first] = replays;
  const isBounded = first === undefined || first.long.count >= MIN_BOUNDED_COUNT;
  const range = first
    ? `from ${first.short.count.toLocaleString('en')} to ${first.long.count.toLocaleString('en')} messages`
    : 'from a short history to a long one';
  return [
    {
      ...common,
      workload: `replay: growth of CPU per message ${range}`,
      value: medianOf(({ short, long }) => long.cpuMicros / short.cpuMicros),
      unit: 'x',
      must: 1.5,
      note: `${medianOf(({ long }) => Math.round(long.cpuMicros)) ?? '–'} µs per message of the long history`,
    },
    {
      ...common,
      workload: `replay: growth of the peak RSS ${range}`,
      value: medianOf(({ short, long }) => Math.max(0, long.peakBytes - short.peakBytes) / 2 ** 20),
      unit: 'MB',
      must: isBounded ? MAX_GROWTH_MB : null,
      note: `0 if it did not grow${isBounded ? '' : '; no bound, because the history is short'}`,
    },
  ];
}
