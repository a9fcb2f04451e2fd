import type { Window } from './load/windows.js';
import { median } from './statistics.js';

/** A core that works this part of the time is busy. */
export const BUSY = 0.95;

/** CPU per delivery in µs, in the middle of the rounds. */
export function cpuOf(windows: readonly Window[]): number {
  return median(windows.map(({ cpuMicros }) => cpuMicros));
}

export function perSecond(windows: readonly Window[]): number {
  return median(windows.map(({ count, seconds }) => count / seconds));
}

/** Of the medians of two servers, which took turns. */
export function ratio(
  ours: readonly Window[],
  theirs: readonly Window[],
  of: (windows: readonly Window[]) => number,
): number | null {
  return ours.length === 0 || theirs.length === 0 ? null : of(ours) / of(theirs);
}

export function quantileOf(windows: readonly Window[], name: 'p50' | 'p99'): number | null {
  const values = windows.flatMap((window) => window[name] ?? []);
  return values.length === 0 ? null : median(values);
}

/** Deliveries/s say what a server can do only where its core was busy and that of the load was not. */
export function isLimitedByServer(windows: readonly Window[]): boolean {
  const loadBusy = loadBusyOf(windows);
  return loadBusy !== null && loadBusy < BUSY && serverBusyOf(windows) >= BUSY;
}

export function serverBusyOf(windows: readonly Window[]): number {
  return median(windows.map(({ serverBusy }) => serverBusy));
}

/** Null where there is none, and where nothing is pinned. */
export function loadBusyOf(windows: readonly Window[]): number | null {
  const parts = windows.flatMap(({ loadBusy }) => loadBusy ?? []);
  return parts.length === 0 ? null : median(parts);
}

export function speedOf(name: string, windows: readonly Window[]): string {
  if (windows.length === 0) return `${name} –`;
  if (isLimitedByServer(windows)) return `${name} ${Math.round(perSecond(windows)).toLocaleString('en')}/s`;
  const loadBusy = loadBusyOf(windows);
  const loads = loadBusy === null ? 'none for the load' : `load's ${percent(loadBusy)}`;
  return `${name} speed does not count (server's core ${percent(serverBusyOf(windows))} busy, ${loads})`;
}

export function percent(part: number): string {
  return `${Math.round(part * 100)}%`;
}

export function faultOf(windows: readonly Window[]): { readonly fault?: string } {
  return faultIn(windows.flatMap(({ faults }) => faults));
}

export function faultIn(faults: readonly string[]): { readonly fault?: string } {
  const [first] = faults;
  if (first === undefined) return {};
  return { fault: faults.length === 1 ? first : `${first} (and ${faults.length - 1} more)` };
}
