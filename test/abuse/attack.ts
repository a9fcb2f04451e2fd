import type { Person } from '../helpers/client.js';
import type { HostileCase } from '../helpers/hostile/run-hostile.js';
import type { Attacker } from './attacker.js';
import type { Target } from './target.js';

/** `full` is run by `npm run abuse`; `short` takes about a second and is run by `npm test`. */
export type Scale = 'full' | 'short';

/** What an attack has to work with. */
export interface Stage {
  readonly target: Target;
  readonly attacker: Attacker;
  /** Ordinary users, whose accounts the attacker has. */
  readonly accounts: readonly Person[];
  /** The member beside whom the attack runs, and the public room to which they send. */
  readonly bystander: Person;
  readonly roomId: string;
  /** How long to keep attacking, in ms. */
  readonly durationMs: number;
  readonly scale: Scale;
  /** For random input: the same seed repeats it. */
  readonly seed: number;
  /** Of random input: sends this case alone. */
  readonly only?: HostileCase | undefined;
}

/** Something that one client does to the disadvantage of all others. */
export interface Attack {
  /** The name on the command line, in kebab case. */
  readonly name: string;
  /** The title in the table. */
  readonly title: string;
  /** Settings of the server, in addition to those of production. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Attacks until the time is over. Returns what came of it, in a few words. Rejects if it did what it must not. */
  run(stage: Stage): Promise<string>;
}
