import type { Part, Scene } from './parts.js';
import { type Contestant, FLOOR, PARLEY } from './servers.js';

/** How long is measured, in seconds, how often, and how much. */
export interface Scale {
  readonly rounds: number;
  /** At full speed before anything is measured, so that code is compiled and memory grown, for all alike. */
  readonly shake: number;
  /** The warm-up before each window. */
  readonly warm: number;
  /** A window at a fixed rate. */
  readonly rate: number;
  /** A window at full speed. */
  readonly saturated: number;
  /** The warm-up of messages sent, at full speed: all code of the way is to be compiled. */
  readonly sendsWarm: number;
  readonly sends: number;
  /** Subscriptions that stand idle. */
  readonly idle: number;
  /** Messages of a short history and of a long one. */
  readonly replay: { readonly few: number; readonly many: number };
}

export const FULL: Scale = {
  rounds: 3,
  shake: 2,
  warm: 1,
  rate: 20,
  saturated: 5,
  sendsWarm: 4,
  sends: 4,
  idle: 5000,
  replay: { few: 10_000, many: 100_000 },
};
export const QUICK: Scale = {
  rounds: 1,
  shake: 1,
  warm: 0.5,
  rate: 4,
  saturated: 2.5,
  sendsWarm: 3,
  sends: 2.5,
  idle: 2000,
  replay: { few: 1000, many: 10_000 },
};

/**
 * The servers of a scene that are measured in a round (the first is 1), in their order: it is turned round each time, so that
 * a machine which gets faster or slower favours none. What is far from its bounds, or is compared with nothing of its own
 * round, takes part in every other one.
 */
export function orderIn(round: number, { loads, readersPerRoom }: Scene): readonly Contestant[] {
  const all = [...loads.keys()];
  if (round % 2 === 1) return all;
  return readersPerRoom === 5000 ? [] : all.filter((one) => one === FLOOR || one === PARLEY).reverse();
}

/** What it takes, by experience, in seconds: the stage; a server and the load; a subscription; messages replayed. */
const STAGE = 7;
const START = 3;
const PER_READER = 0.002;
const PER_REPLAYED = 0.0003;

/** How long a run will take on an ordinary machine, in seconds. */
export function estimateSeconds(scenes: readonly Scene[], parts: ReadonlySet<Part>, scale: Scale): number {
  const window = { rate: scale.rate, saturated: scale.saturated, flood: scale.saturated };
  let seconds = STAGE;
  for (let round = 1; round <= scale.rounds; round++) {
    for (const scene of scenes)
      for (const contestant of orderIn(round, scene)) {
        seconds += START + scene.rooms * scene.readersPerRoom * PER_READER + scale.shake;
        for (const kind of scene.loads.get(contestant) ?? []) seconds += scale.warm + window[kind];
      }
    const sends = [...parts].filter((part) => part.startsWith('sends-')).length;
    seconds += sends * (START + scale.sendsWarm + scale.sends);
  }
  if (parts.has('idle')) seconds += 8 * START + scale.idle * PER_READER;
  if (parts.has('replay')) seconds += START + (2 * scale.replay.few + scale.replay.many) * PER_REPLAYED;
  return seconds;
}
