import type { Cores } from './machine.js';
import type { Scale } from './scale.js';
import type { Stage } from './stage.js';

/** What all measurements share. */
export interface Lab {
  readonly stage: Stage;
  readonly cores: Cores | null;
  readonly scale: Scale;
  /** Where servers under test leave their CPU profiles; null where none is wanted. */
  readonly profileFolder: string | null;
  /** Progress, a line each. */
  readonly say: (line: string) => void;
}
