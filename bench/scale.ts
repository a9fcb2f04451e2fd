import { FLOOR, FLOOR_TWICE, PARLEY, PARLEY_TWICE, type Target } from './servers/targets.js';
import type { Part, Workload } from './workloads.js';

/** Durations of the measurements in seconds, and their number and size. */
export interface Scale {
  readonly rounds: number;
  /** At full speed after the start of a server, so that its code is compiled and its memory has grown. */
  readonly initialWarmUp: number;
  /** The warm-up before each window. */
  readonly warmUp: number;
  /** A window at a fixed rate. */
  readonly rate: number;
  /** A window at full speed. */
  readonly saturated: number;
  /** The warm-up of `sendMessage` at full speed: all code on its path must be compiled. */
  readonly sendsWarmUp: number;
  /** A window of `sendMessage`. */
  readonly sends: number;
  /** The number of idle subscriptions. */
  readonly idle: number;
  /** The number of messages in the short and in the long history. */
  readonly replay: { readonly short: number; readonly long: number };
  /** The number of sends under a held snapshot. */
  readonly snapshot: number;
  /** The number of rooms with a message each while Redis is away. */
  readonly outage: number;
  /** The number of rooms that are watched while nothing happens. */
  readonly watched: number;
  /** The numbers of rooms in the database while heads are compared. */
  readonly heads: { readonly few: number; readonly many: number };
}

export const FULL: Scale = {
  rounds: 3,
  initialWarmUp: 2,
  warmUp: 1,
  rate: 20,
  saturated: 5,
  sendsWarmUp: 4,
  sends: 4,
  idle: 5000,
  replay: { short: 10_000, long: 100_000 },
  snapshot: 20_000,
  outage: 3000,
  watched: 5000,
  heads: { few: 40_000, many: 400_000 },
};
export const QUICK: Scale = {
  rounds: 1,
  initialWarmUp: 1,
  warmUp: 0.5,
  rate: 4,
  saturated: 2.5,
  sendsWarmUp: 3,
  sends: 2.5,
  idle: 2000,
  replay: { short: 1000, long: 10_000 },
  snapshot: 3000,
  outage: 500,
  watched: 2000,
  heads: { few: 10_000, many: 40_000 },
};

/**
 * The servers of a workload that are measured in a round (from 1), in their order. Every round reverses the order, so that a
 * machine that gets faster or slower favors none. Servers that are far from their bounds, or that are not compared within a
 * round, take part in every other round.
 */
export function orderIn(round: number, { loads, subscribersPerRoom }: Workload): readonly Target[] {
  const all = [...loads.keys()];
  if (round % 2 === 1) return all;
  const compared = [FLOOR, PARLEY, FLOOR_TWICE, PARLEY_TWICE];
  return subscribersPerRoom === 5000 ? [] : all.filter((one) => compared.includes(one)).reverse();
}

/** Typical durations, in seconds. */
const TESTBED_SECONDS = 7;
const START_SECONDS = 3;
const SECONDS_PER_SUBSCRIBER = 0.002;
const SECONDS_PER_REPLAYED_MESSAGE = 0.0003;
const SECONDS_PER_SEND = 0.002;
const BURST_SECONDS = 12;
const RESTART_SECONDS = 8;
const OUTAGE_SECONDS = 12;
const WATCH_SECONDS = 30;
const SECONDS_PER_QUIET_ROOM = 0.00006;

/** Estimates how long a run takes on an ordinary machine, in seconds. */
export function estimateSeconds(
  workloads: readonly Workload[],
  parts: ReadonlySet<Part>,
  scale: Scale,
): number {
  const window = { rate: scale.rate, saturated: scale.saturated, flood: scale.saturated };
  let seconds = TESTBED_SECONDS;
  for (let round = 1; round <= scale.rounds; round++) {
    for (const workload of workloads)
      for (const target of orderIn(round, workload)) {
        seconds +=
          START_SECONDS +
          workload.rooms * workload.subscribersPerRoom * SECONDS_PER_SUBSCRIBER +
          scale.initialWarmUp;
        for (const kind of workload.loads.get(target) ?? []) seconds += scale.warmUp + window[kind];
      }
    const sends = [...parts].filter((part) => part.startsWith('sends-')).length;
    seconds += sends * 2 * (START_SECONDS + scale.sendsWarmUp + scale.sends);
  }
  if (parts.has('idle')) seconds += 8 * START_SECONDS + scale.idle * SECONDS_PER_SUBSCRIBER;
  if (parts.has('replay'))
    seconds +=
      2 * (START_SECONDS + (2 * scale.replay.short + scale.replay.long) * SECONDS_PER_REPLAYED_MESSAGE);
  if (parts.has('burst')) seconds += BURST_SECONDS;
  if (parts.has('restart')) seconds += RESTART_SECONDS;
  if (parts.has('outage')) seconds += OUTAGE_SECONDS;
  if (parts.has('watch')) seconds += WATCH_SECONDS;
  if (parts.has('heads')) seconds += scale.heads.many * SECONDS_PER_QUIET_ROOM;
  if (parts.has('snapshot')) seconds += START_SECONDS + scale.snapshot * SECONDS_PER_SEND;
  return seconds;
}
