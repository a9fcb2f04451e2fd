import { setTimeout as sleep } from 'node:timers/promises';
import { residentMb } from '../faults/environment/process-stats.js';
import { percentile } from '../faults/verdict/check.js';
import type { HostileCase } from '../helpers/hostile/run-hostile.js';
import type { Attack, Scale } from './attack.js';
import { createAttacker } from './attacker.js';
import { startBystander } from './bystander.js';
import type { Target } from './target.js';

/** The bystander's 99th percentile may be this long, in ms, or three times what it was before the attack. */
export const MAX_P99_MS = 250;
const SLOWDOWN = 3;
/** Resident memory of the server that no attack may exceed, in MB: its heap, and 256 MiB of unsent data. */
export const MAX_RESIDENT_MB = 1024;

const DURATIONS_MS = { full: 10_000, short: 1500 } as const;

export interface Outcome {
  /** What came of the attack. */
  readonly result: string;
  /** 99th percentiles of the bystander's sends, in ms. */
  readonly beforeMs: number;
  readonly duringMs: number;
  readonly residentMb: number;
}

/** To repeat an earlier run: its seed, or a new one; and its failed case, or all. */
export interface Repetition {
  readonly seed?: number | undefined;
  readonly only?: HostileCase | undefined;
}

/** Runs an attack beside the bystander. Rejects if the bystander is refused anything, or as the attack does. */
export async function runAttack(
  target: Target,
  attack: Attack,
  address: string,
  scale: Scale,
  { seed = Math.floor(Date.now() / 1000), only }: Repetition = {},
): Promise<Outcome> {
  const { instance, bystander, roomId, accounts } = target;
  const durationMs = DURATIONS_MS[scale];
  const witness = await startBystander(bystander, instance.webSocketUrl, roomId);
  const attacker = createAttacker(instance.url, address);
  let residentBytes = 0;
  const memory = setInterval(() => {
    void residentMb(instance.pid).then((mb) => {
      residentBytes = Math.max(residentBytes, mb);
    });
  }, 200);
  try {
    await sleep(durationMs / 2);
    const before = witness.take();
    const result = await attack.run({
      target,
      attacker,
      accounts,
      bystander,
      roomId,
      durationMs,
      scale,
      seed,
      only,
    });
    const during = witness.take();
    if (during.length === 0) throw new Error('The bystander has sent nothing during the attack.');
    return {
      result,
      beforeMs: percentile(before, 99) ?? 0,
      duringMs: percentile(during, 99) ?? 0,
      residentMb: residentBytes,
    };
  } finally {
    attacker.close();
    await witness.stop();
    clearInterval(memory);
  }
}

/** Why the outcome is not good enough; null if it is. */
export function failureOf({ beforeMs, duringMs, residentMb: resident }: Outcome): string | null {
  if (duringMs > Math.max(MAX_P99_MS, SLOWDOWN * beforeMs)) return 'the bystander had to wait';
  return resident > MAX_RESIDENT_MB ? 'too much memory' : null;
}
