import type { BenchContext } from '../context.js';
import type { Measured } from '../report/rows.js';
import { orderIn } from '../scale.js';
import type { Part, SendsPart, Workload } from '../workloads.js';
import { type Bursts, measureBursts } from './bursts.js';
import { runWorkload } from './fan-out.js';
import { type Heads, measureHeads } from './heads.js';
import { type Idle, measureIdle } from './idle.js';
import { measureOutage, type Outage } from './outages.js';
import { measureReplays, type Replays } from './replays.js';
import { measureRestarts, type Restarts } from './restarts.js';
import { createResults } from './results.js';
import { measureSends, SENDS_PARTS, type Sends } from './sends.js';
import { measureSnapshot, type SnapshotSeries } from './snapshots.js';
import { measureWatched, type Watched } from './watched.js';

/** Everything that was measured, and one line for each measurement that failed. */
export interface Outcome {
  readonly measured: Measured;
  readonly failures: readonly string[];
}

/** Runs all measurements of these parts. A measurement that fails is reported at the end; the others still run. */
export async function measureAll(
  context: BenchContext,
  workloads: readonly Workload[],
  parts: ReadonlySet<Part>,
): Promise<Outcome> {
  const { scale, log } = context;
  const results = createResults();
  const sends: Record<SendsPart, Sends> = {
    'sends-websocket': { ours: [], theirs: [] },
    'sends-http': { ours: [], theirs: [] },
    'sends-rooms': { ours: [], theirs: [] },
  };
  const idle: Idle[] = [];
  const replays: Replays[] = [];
  const bursts: Bursts[] = [];
  const restarts: Restarts[] = [];
  const snapshots: SnapshotSeries[] = [];
  const outages: Outage[] = [];
  const watched: Watched[] = [];
  const heads: Heads[] = [];
  const failures: string[] = [];

  const attempt = async (name: string, measure: () => Promise<void>): Promise<void> => {
    await measure().catch((error: unknown) => {
      const failure = `${name} FAILED: ${String(error)}`;
      failures.push(failure);
      log(failure);
    });
  };

  for (let round = 1; round <= scale.rounds; round++) {
    log(`round ${round} of ${scale.rounds}`);
    for (const workload of workloads)
      for (const target of orderIn(round, workload))
        await attempt(`${workload.rooms} x ${workload.subscribersPerRoom}, ${target.name}`, () =>
          runWorkload(context, workload, target, round, results),
        );
    for (const part of SENDS_PARTS)
      if (parts.has(part)) await attempt(part, () => measureSends(context, part, round, sends[part]));
  }
  if (parts.has('idle')) await attempt('idle', async () => void idle.push(await measureIdle(context)));
  if (parts.has('replay'))
    await attempt('replay', async () => void replays.push(await measureReplays(context)));
  if (parts.has('burst')) await attempt('burst', async () => void bursts.push(await measureBursts(context)));
  if (parts.has('restart'))
    await attempt('restart', async () => void restarts.push(await measureRestarts(context)));
  if (parts.has('snapshot'))
    await attempt('snapshot', async () => void snapshots.push(await measureSnapshot(context)));
  if (parts.has('outage'))
    await attempt('outage', async () => void outages.push(await measureOutage(context)));
  if (parts.has('watch'))
    await attempt('watch', async () => void watched.push(await measureWatched(context)));
  // Last: these rooms stay in the database.
  if (parts.has('heads')) await attempt('heads', async () => void heads.push(await measureHeads(context)));
  return {
    measured: { results, idle, sends, replays, bursts, restarts, snapshots, outages, watched, heads },
    failures,
  };
}
