import type { RoundWindow } from '../report/figures.js';
import type { Contestant } from '../servers/contestants.js';
import type { LoadKind, Shape } from '../workloads.js';

/** Windows by shape, load and server. */
export interface Results {
  add(shape: Shape, kind: LoadKind, contestant: Contestant, window: RoundWindow): void;
  /** Records a fault that occurred outside of any window. */
  addFault(shape: Shape, kind: LoadKind, contestant: Contestant, fault: string): void;
  /** The windows of all rounds; empty if every round failed. */
  of(shape: Shape, kind: LoadKind, contestant: Contestant): readonly RoundWindow[];
  /** All faults, inside and outside of windows. */
  faultsOf(shape: Shape, kind: LoadKind, contestants: readonly Contestant[]): readonly string[];
}

export function createResults(): Results {
  const windows = new Map<string, RoundWindow[]>();
  const others = new Map<string, string[]>();
  const key = ({ rooms, subscribersPerRoom }: Shape, kind: LoadKind, { name }: Contestant) =>
    `${rooms}x${subscribersPerRoom} ${kind} ${name}`;
  const push = <Value>(lists: Map<string, Value[]>, name: string, value: Value): void =>
    void lists.set(name, [...(lists.get(name) ?? []), value]);
  return {
    add: (shape, kind, contestant, window) => push(windows, key(shape, kind, contestant), window),
    addFault: (shape, kind, contestant, fault) => push(others, key(shape, kind, contestant), fault),
    of: (shape, kind, contestant) => windows.get(key(shape, kind, contestant)) ?? [],
    faultsOf: (shape, kind, contestants) =>
      contestants.flatMap((contestant) => {
        const name = key(shape, kind, contestant);
        const faults = (windows.get(name) ?? []).flatMap((window) => window.faults);
        return [...faults, ...(others.get(name) ?? [])].map((fault) => `${contestant.name}: ${fault}`);
      }),
  };
}
