import type { Environment } from './environment/environment.js';
import type { Verdict } from './verdict/check.js';

/** `full` is run by `npm run faults`; `short` takes a few seconds and is run by `npm test`. */
export type Scale = 'full' | 'short';

/** A fault that is injected under load. */
export interface Scenario {
  /** The name on the command line, in kebab case. */
  readonly name: string;
  /** The title in the table. */
  readonly title: string;
  /** Whether its instances keep running, so that other scenarios can use them too. */
  readonly keepsInstances?: true;
  /** Rejects on any failure that the outcome does not count. */
  run(environment: Environment, scale: Scale): Promise<Outcome>;
}

/** The counts of a scenario's messages. */
export interface Outcome extends Verdict {
  /** Messages that senders tried to send. */
  readonly sent: number;
  /** Messages that a server acknowledged: all of them, because senders retry. */
  readonly acked: number;
  /**
   * The recovery time of each subscriber after each fault, in ms (see verdict/recovery.ts). Each scenario documents the
   * moments of its faults. Empty if nothing was broken.
   */
  readonly recoveryMs: readonly number[];
  /** More figures, as text. */
  readonly notes?: string;
}

/** Whether every subscriber received every message once and in order. */
export function isFlawless({ sent, acked, lost, duplicated, outOfOrder, unseen }: Outcome): boolean {
  return sent > 0 && acked === sent && lost + duplicated + outOfOrder + unseen === 0;
}
