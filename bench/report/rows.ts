import type { Window } from '../load/windows.js';
import type { Bursts } from '../measure/bursts.js';
import type { Idle } from '../measure/idle.js';
import type { Outage } from '../measure/outages.js';
import type { Replays } from '../measure/replays.js';
import type { Restarts } from '../measure/restarts.js';
import type { Results } from '../measure/results.js';
import { SENDERS } from '../measure/sends.js';
import type { SnapshotSeries } from '../measure/snapshots.js';
import { median } from '../statistics.js';
import type { Part, SendsPart } from '../workloads.js';
import { burstRows, outageRows, replayRows, restartRows, snapshotRow } from './catch-up-rows.js';
import { fanOutRows, growthRow } from './fan-out-rows.js';
import { cpuOf, faultIn, foreignNote, speedOf } from './figures.js';
import type { Row } from './table.js';

/** Everything that was measured; parts that did not run are empty. */
export interface Measured {
  readonly results: Results;
  readonly idle: readonly Idle[];
  readonly sends: Readonly<Record<SendsPart, readonly Window[]>>;
  readonly replays: readonly Replays[];
  readonly bursts: readonly Bursts[];
  readonly restarts: readonly Restarts[];
  readonly snapshots: readonly SnapshotSeries[];
  readonly outages: readonly Outage[];
}

/** The rows of the bench's table that belong to these parts. */
export function rowsOf(measured: Measured, parts: ReadonlySet<Part>): readonly Row[] {
  return allRows(measured).filter(({ part }) => parts.has(part));
}

function allRows({
  results,
  idle,
  sends,
  replays,
  bursts,
  restarts,
  snapshots,
  outages,
}: Measured): readonly Row[] {
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
    ...burstRows(bursts),
    ...restartRows(restarts),
    snapshotRow(snapshots),
    ...outageRows(outages),
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
