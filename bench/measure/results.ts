import type { RoundWindow } from '../report/figures.js';
import type { Target } from '../servers/targets.js';
import type { LoadKind, Shape } from '../workloads.js';

/** Windows by shape, load and server. */
export interface Results {
  add(shape: Shape, kind: LoadKind, target: Target, window: RoundWindow): void;
  /** Records a fault that occurred outside of any window. */
  addFault(shape: Shape, kind: LoadKind, target: Target, fault: string): void;
  /** The windows of all rounds; empty if every round failed. */
  of(shape: Shape, kind: LoadKind, target: Target): readonly RoundWindow[];
  /** All faults, inside and outside of windows. */
  faultsOf(shape: Shape, kind: LoadKind, targets: readonly Target[]): readonly string[];
}

export function createResults(): Results {
  const windows = new Map<string, RoundWindow[]>();
  const others = new Map<string, string[]>();
  const key = ({ rooms, subscribersPerRoom }: Shape, kind: LoadKind, { name }: Target) =>
    `${rooms}x${subscribersPerRoom} ${kind} ${name}`;
  const push = <Value>(lists: Map<string, Value[]>, name: string, value: Value): void =>
    void lists.set(name, [...(lists.get(name) ?? []), value]);
  return {
    add: (shape, kind, target, window) => push(windows, key(shape, kind, target), window),
    addFault: (shape, kind, target, fault) => push(others, key(shape, kind, target), fault),
    of: (shape, kind, target) => windows.get(key(shape, kind, target)) ?? [],
    faultsOf: (shape, kind, targets) =>
      targets.flatMap((target) => {
        const name = key(shape, kind, target);
        const faults = (windows.get(name) ?? []).flatMap((window) => window.faults);
        return [...faults, ...(others.get(name) ?? [])].map((fault) => `${target.name}: ${fault}`);
      }),
  };
}
