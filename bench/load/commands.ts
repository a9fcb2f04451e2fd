import type { CatchUp, CatchUpOptions } from './catch-up.js';
import type { CrowdOptions } from './crowd.js';
import type { SendsOptions } from './send-messages.js';
import type { Series, SeriesOptions } from './send-series.js';
import type { SendToEachOptions, SentToEach, WatchOptions } from './watch.js';
import type { Timing, Window } from './windows.js';

/** The commands that the load process takes, and their results. */
export interface Commands {
  openCrowd(options: CrowdOptions): Promise<null>;
  closeCrowd(): Promise<null>;
  /** Sends at a fixed rate, in messages per second to all rooms together. */
  atRate(options: { readonly perSecond: number; readonly timing: Timing }): Promise<Window>;
  /** Keeps a constant number of messages outstanding in each room. */
  saturated(options: { readonly outstanding: number; readonly timing: Timing }): Promise<Window>;
  sendMessages(options: SendsOptions): Promise<Window>;
  openWatch(options: WatchOptions): Promise<null>;
  sendToEach(options: SendToEachOptions): Promise<SentToEach>;
  sendSeries(options: SeriesOptions): Promise<Series>;
  catchUp(options: CatchUpOptions): Promise<CatchUp>;
}

export interface Call {
  readonly command: keyof Commands;
  readonly options: unknown;
}

export type Answer = { readonly result: unknown } | { readonly error: string };
