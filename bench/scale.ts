/** How long is measured, in seconds, and how often. */
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
  readonly sends: number;
}

export const FULL: Scale = { rounds: 3, shake: 2, warm: 2, rate: 20, saturated: 8, sends: 6 };
export const QUICK: Scale = { rounds: 1, shake: 2, warm: 1, rate: 5, saturated: 4, sends: 4 };
