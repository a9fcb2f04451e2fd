import type { Bursts } from '../measure/bursts.js';
import type { Heads } from '../measure/heads.js';
import type { Idle } from '../measure/idle.js';
import type { Outage } from '../measure/outages.js';
import type { Replays } from '../measure/replays.js';
import type { Restarts } from '../measure/restarts.js';
import type { Results } from '../measure/results.js';
import type { Sends } from '../measure/sends.js';
import type { SnapshotSeries } from '../measure/snapshots.js';
import type { Watched } from '../measure/watched.js';
import { median } from '../statistics.js';
import type { Part, SendsPart } from '../workloads.js';
import { burstRows, replayRows, restartRows } from './catch-up-rows.js';
import { fanOutRows, growthRow } from './fan-out-rows.js';
import { headsRows, outageRows, watchedRows } from './many-rooms-rows.js';
import { sendsRows, snapshotRow } from './sends-rows.js';
import type { Row } from './table.js';

/** Everything that was measured; parts that did not run are empty. */
export interface Measured {
  readonly results: Results;
  readonly idle: readonly Idle[];
  readonly sends: Readonly<Record<SendsPart, Sends>>;
  readonly replays: readonly Replays[];
  readonly bursts: readonly Bursts[];
  readonly restarts: readonly Restarts[];
  readonly snapshots: readonly SnapshotSeries[];
  readonly outages: readonly Outage[];
  readonly watched: readonly Watched[];
  readonly heads: readonly Heads[];
}

/** The rows of the bench's table that belong to these parts. */
export function rowsOf(measured: Measured, parts: ReadonlySet<Part>): readonly Row[] {
  return allRows(measured).filter(({ part }) => parts.has(part));
}

function allRows(measured: Measured): readonly Row[] {
  return [
    ...fanOutRows(measured.results),
    idleRow(measured.idle),
    ...sendsRows(measured.sends),
    growthRow(measured.results),
    ...replayRows(measured.replays),
    ...burstRows(measured.bursts),
    ...restartRows(measured.restarts),
    snapshotRow(measured.snapshots),
    ...outageRows(measured.outages),
    ...watchedRows(measured.watched),
    ...headsRows(measured.heads),
  ];
}

function idleRow(idle: readonly Idle[]): Row {
  return {
    part: 'idle',
    workload: `an idle subscription${idle[0] ? `, of ${idle[0].subscriptions.toLocaleString('en')}` : ''}`,
    value: idle.length === 0 ? null : median(idle.map(({ bytesEach }) => bytesEach)) / 1024,
    unit: 'KB',
    better: 'less',
    must: 10.5,
    aim: 9,
    note: '(RSS with the subscriptions − RSS of the warm process without them) / their number, after GC; KB of 1,024 bytes',
  };
}
