import type { Verdict } from './check.js';
import type { Lab } from './lab.js';

/** `full`: as `npm run faults` runs it; `short`: the same in a few seconds, for `npm test`. */
export type Scale = 'full' | 'short';

/** One fault, injected under load. */
export interface Scenario {
  /** In kebab case; the command line takes it. */
  readonly name: string;
  /** One plain line for the table. */
  readonly title: string;
  /** It leaves the instances that it starts as it found them, so that others may go on with them. */
  readonly keepsInstances?: true;
  /** Rejects where something else goes wrong than what the outcome counts. */
  run(lab: Lab, scale: Scale): Promise<Outcome>;
}

/** What became of a scenario's messages. */
export interface Outcome extends Verdict {
  /** Messages that somebody tried to send. */
  readonly sent: number;
  /** Those of them that a server said it had stored. All, where senders go on trying. */
  readonly acked: number;
  /**
   * For each screen and each moment of a fault, in ms: the longest wait for a message from then on (see recovery.ts). What
   * the moments are, the scenario says. Empty where nothing was broken.
   */
  readonly recoveryMs: readonly number[];
  /** Further figures, for people. */
  readonly notes?: string;
}

/** Whether every message is on every screen, once and in order. */
export function isFlawless({ sent, acked, lost, duplicated, outOfOrder, unseen }: Outcome): boolean {
  return sent > 0 && acked === sent && lost + duplicated + outOfOrder + unseen === 0;
}
