import type { CrowdOptions } from './crowd.js';
import type { Replay, ReplayOptions } from './replay.js';
import type { SendsOptions } from './sends.js';
import type { Timing, Window } from './windows.js';

/** What the load's process can be told, and what it answers. */
export interface Commands {
  openCrowd(options: CrowdOptions): Promise<null>;
  closeCrowd(): Promise<null>;
  /** Messages per second, to all rooms together. */
  atRate(options: { readonly perSecond: number; readonly timing: Timing }): Promise<Window>;
  /** Messages outstanding, in each room. */
  saturated(options: { readonly outstanding: number; readonly timing: Timing }): Promise<Window>;
  sendMessages(options: SendsOptions): Promise<Window>;
  replay(options: ReplayOptions): Promise<Replay>;
}

export interface Call {
  readonly command: keyof Commands;
  readonly options: unknown;
}

export type Answer = { readonly result: unknown } | { readonly error: string };
