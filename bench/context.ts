import type { Cores } from './machine/cores.js';
import type { Scale } from './scale.js';
import type { Testbed } from './testbed.js';

/** Shared by all measurements of one run. */
export interface BenchContext {
  readonly testbed: Testbed;
  readonly cores: Cores | null;
  readonly scale: Scale;
  /** Servers under test write their CPU profiles here; null if no profiles were requested. */
  readonly profileFolder: string | null;
  /** Reports progress, one line per call. */
  readonly log: (line: string) => void;
}
