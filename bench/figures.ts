import type { Window } from './load/windows.js';
import { median } from './statistics.js';

/** A window, and the round that it was measured in. */
export type RoundWindow = Window & { readonly round: number };

/** A core that works this part of the time is busy. */
export const BUSY = 0.95;
/** A core that works this part of the time for somebody else is not the server's alone. */
export const FOREIGN = 0.05;

/** Windows in which the server had its core alone, by and large; all where there is none such. */
export function calm<Some extends Window>(windows: readonly Some[]): readonly Some[] {
  const some = windows.filter(isCalm);
  return some.length > 0 ? some : windows;
}

function isCalm({ foreignBusy }: Window): boolean {
  return foreignBusy === null || foreignBusy <= FOREIGN;
}

/** CPU per delivery in µs, in the middle of the rounds. */
export function cpuOf(windows: readonly Window[]): number {
  return median(calm(windows).map(({ cpuMicros }) => cpuMicros));
}

export function perSecond(windows: readonly Window[]): number {
  return median(calm(windows).map(({ count, seconds }) => count / seconds));
}

/** In the middle of the rounds that both took part in, undisturbed if there is such a one; null where there is none. */
export function ratio(
  ours: readonly RoundWindow[],
  theirs: readonly RoundWindow[],
  of: (window: Window) => number,
): number | null {
  const pairs = ours.flatMap((our) => {
    const their = theirs.find(({ round }) => round === our.round);
    return their ? { ratio: of(our) / of(their), isCalm: isCalm(our) && isCalm(their) } : [];
  });
  const calmPairs = pairs.filter((pair) => pair.isCalm);
  const counted = calmPairs.length > 0 ? calmPairs : pairs;
  return counted.length === 0 ? null : median(counted.map((pair) => pair.ratio));
}

export function quantileOf(windows: readonly Window[], name: 'p50' | 'p99'): number | null {
  const values = calm(windows).flatMap((window) => window[name] ?? []);
  return values.length === 0 ? null : median(values);
}

/** Deliveries/s say what a server can do only where its core was busy, with hardly anything else, and the load's was not. */
export function isLimitedByServer(windows: readonly Window[]): boolean {
  const loadBusy = loadBusyOf(windows);
  return loadBusy !== null && loadBusy < BUSY && coreBusyOf(windows) >= BUSY && calm(windows).every(isCalm);
}

/** What is to be said where a server did not have its core alone, to stand behind other words; else nothing. */
export function foreignNote(windows: readonly Window[]): string {
  const disturbed = windows.filter((window) => !isCalm(window));
  if (disturbed.length === 0) return '';
  const most = percent(Math.max(...disturbed.map(({ foreignBusy }) => foreignBusy ?? 0)));
  return `; others took up to ${most} of the server's core in ${disturbed.length} of ${windows.length} windows`;
}

/** The server's core, whoever it worked for. */
function coreBusyOf(windows: readonly Window[]): number {
  return median(calm(windows).map(({ coreBusy, serverBusy }) => coreBusy ?? serverBusy));
}

/** Null where there is none, and where nothing is pinned. */
export function loadBusyOf(windows: readonly Window[]): number | null {
  const parts = calm(windows).flatMap(({ loadBusy }) => loadBusy ?? []);
  return parts.length === 0 ? null : median(parts);
}

export function speedOf(name: string, windows: readonly Window[]): string {
  if (windows.length === 0) return `${name} –`;
  if (isLimitedByServer(windows)) return `${name} ${Math.round(perSecond(windows)).toLocaleString('en')}/s`;
  const loadBusy = loadBusyOf(windows);
  const loads = loadBusy === null ? 'none for the load' : `load's ${percent(loadBusy)}`;
  return `${name} speed does not count (server's core ${percent(coreBusyOf(windows))} busy, ${loads})`;
}

export function percent(part: number): string {
  return `${Math.round(part * 100)}%`;
}

export function faultIn(faults: readonly string[]): { readonly fault?: string } {
  const [first] = faults;
  if (first === undefined) return {};
  return { fault: faults.length === 1 ? first : `${first} (and ${faults.length - 1} more)` };
}
