import { SENDERS, type Sends } from '../measure/sends.js';
import type { SnapshotSeries } from '../measure/snapshots.js';
import type { SendsPart } from '../workloads.js';
import { cpuOf, faultIn, foreignNote, medianOf, ratio, speedOf } from './figures.js';
import { figure, type Row } from './table.js';

export function sendsRows(sends: Readonly<Record<SendsPart, Sends>>): readonly Row[] {
  const row = (
    part: SendsPart,
    workload: string,
    names: readonly [string, string],
    must: number,
    aim: number,
  ) => sendsRow(part, workload, sends[part], names, must, aim);
  const one = `one room, ${SENDERS} connections`;
  return [
    row(
      'sends-websocket',
      `sendMessage over WebSocket, ${one}: CPU against the floor`,
      ['Parley', 'floor'],
      1.2,
      0.8,
    ),
    row('sends-http', `sendMessage over HTTP, ${one}: CPU against the floor`, ['Parley', 'floor'], 1.8, 1.2),
    row(
      'sends-rooms',
      `sendMessage over WebSocket, ${SENDERS} rooms, ${SENDERS} connections: CPU against one room`,
      [`${SENDERS} rooms`, 'one room'],
      1.4,
      1.1,
    ),
  ];
}

function sendsRow(
  part: SendsPart,
  workload: string,
  { ours, theirs }: Sends,
  [ourName, theirName]: readonly [string, string],
  must: number,
  aim: number,
): Row {
  const both = [...ours, ...theirs];
  const cpu = (windows: Sends['ours']) => (windows.length === 0 ? '–' : `${figure(cpuOf(windows))} µs`);
  return {
    part,
    workload,
    value: ratio(ours, theirs, ({ cpuMicros }) => cpuMicros),
    unit: 'x',
    better: 'less',
    must,
    aim,
    note: `CPU per message: ${ourName} ${cpu(ours)}, ${theirName} ${cpu(theirs)}; ${speedOf(ourName, ours)}, ${speedOf(theirName, theirs)}${foreignNote(both)}`,
    ...faultIn(both.flatMap(({ faults }) => faults)),
  };
}

export function snapshotRow(snapshots: readonly SnapshotSeries[]): Row {
  const count = snapshots[0]?.count.toLocaleString('en') ?? 'many';
  const times = ({ first, last }: SnapshotSeries) => `${first.toFixed(2)} ms, then ${last.toFixed(2)} ms`;
  return {
    part: 'snapshot',
    workload: `${count} sends to one room under a held snapshot: growth of the time per send`,
    value: medianOf(snapshots, ({ first, last }) => last / first),
    unit: 'x',
    better: 'less',
    must: 2,
    aim: 1.5,
    note: snapshots.map(times).join('; '),
    ...faultIn(snapshots.flatMap(({ faults }) => faults)),
  };
}
