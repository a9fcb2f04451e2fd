import type { Window } from '../load/windows.js';
import { median } from '../statistics.js';

/** A window and the round in which it was measured. */
export type RoundWindow = Window & { readonly round: number };

/** A core counts as busy if it works for at least this share of the time. */
export const BUSY_THRESHOLD = 0.95;
/** A window counts as disturbed if other processes used the server's core for more than this share of the time. */
export const FOREIGN_THRESHOLD = 0.05;

/** The windows in which the server had its core almost to itself; all windows if there is none. */
export function undisturbed<Some extends Window>(windows: readonly Some[]): readonly Some[] {
  const found = windows.filter(isUndisturbed);
  return found.length > 0 ? found : windows;
}

function isUndisturbed({ foreignBusy }: Window): boolean {
  return foreignBusy === null || foreignBusy <= FOREIGN_THRESHOLD;
}

/** Null without results. */
export function medianOf<Result>(
  results: readonly Result[],
  figure: (result: Result) => number,
): number | null {
  return results.length === 0 ? null : median(results.map(figure));
}

/** A whole number; a dash without a figure. */
export const rounded = (value: number | null) =>
  value === null ? '–' : Math.round(value).toLocaleString('en');

/** CPU per delivery, in µs: the median of the rounds. */
export function cpuOf(windows: readonly Window[]): number {
  return median(undisturbed(windows).map(({ cpuMicros }) => cpuMicros));
}

export function perSecond(windows: readonly Window[]): number {
  return median(undisturbed(windows).map(({ count, seconds }) => count / seconds));
}

/** The median of the ratios within single rounds, of undisturbed rounds if there are any; null if no round has both. */
export function ratio(
  ours: readonly RoundWindow[],
  theirs: readonly RoundWindow[],
  of: (window: Window) => number,
): number | null {
  const pairs = ours.flatMap((our) => {
    const their = theirs.find(({ round }) => round === our.round);
    return their
      ? { ratio: of(our) / of(their), isUndisturbed: isUndisturbed(our) && isUndisturbed(their) }
      : [];
  });
  const undisturbedPairs = pairs.filter((pair) => pair.isUndisturbed);
  const counted = undisturbedPairs.length > 0 ? undisturbedPairs : pairs;
  return counted.length === 0 ? null : median(counted.map((pair) => pair.ratio));
}

export function quantileOf(windows: readonly Window[], name: 'p50' | 'p99' | 'writeP99'): number | null {
  const values = undisturbed(windows).flatMap((window) => window[name] ?? []);
  return values.length === 0 ? null : median(values);
}

/**
 * Whether deliveries per second describe the server: its core was busy with hardly anything else, and the core of the load
 * was not busy.
 */
export function isLimitedByServer(windows: readonly Window[]): boolean {
  const loadBusy = loadBusyOf(windows);
  return (
    loadBusy !== null &&
    loadBusy < BUSY_THRESHOLD &&
    coreBusyOf(windows) >= BUSY_THRESHOLD &&
    undisturbed(windows).every(isUndisturbed)
  );
}

/** A suffix for a note if the server did not have its core to itself; otherwise empty. */
export function foreignNote(windows: readonly Window[]): string {
  const disturbed = windows.filter((window) => !isUndisturbed(window));
  if (disturbed.length === 0) return '';
  const max = percent(Math.max(...disturbed.map(({ foreignBusy }) => foreignBusy ?? 0)));
  return `; others took up to ${max} of the server's core in ${disturbed.length} of ${windows.length} windows`;
}

/** The share of the time that the server's core worked, for any process. */
function coreBusyOf(windows: readonly Window[]): number {
  return median(undisturbed(windows).map(({ coreBusy, serverBusy }) => coreBusy ?? serverBusy));
}

/** The share of the time that the load's core worked; null without windows, and if nothing is pinned. */
export function loadBusyOf(windows: readonly Window[]): number | null {
  const parts = undisturbed(windows).flatMap(({ loadBusy }) => loadBusy ?? []);
  return parts.length === 0 ? null : median(parts);
}

/** Deliveries per second, or why they do not describe the server. */
export function speedOf(name: string, windows: readonly Window[]): string {
  if (windows.length === 0) return `${name} –`;
  if (isLimitedByServer(windows)) return `${name} ${Math.round(perSecond(windows)).toLocaleString('en')}/s`;
  const loadBusy = loadBusyOf(windows);
  const load = loadBusy === null ? 'no core for the load' : `load ${percent(loadBusy)}`;
  return `${name} speed not compared (cores: server ${percent(coreBusyOf(windows))}, ${load})`;
}

/** A line of progress about one window. */
export function describeWindow(window: Window): string {
  const { count, seconds, cpuMicros, serverBusy, loadBusy, p50, p99, faults } = window;
  const latency = p99 === null ? '' : `, p50 ${p50} ms, p99 ${p99} ms`;
  const busy = `server ${percent(serverBusy)} busy, load's core ${loadBusy === null ? '–' : percent(loadBusy)}`;
  const suffix = faults.length > 0 ? `; FAULTS: ${faults.join('; ')}` : '';
  return `${cpuMicros.toFixed(2)} µs CPU each, ${Math.round(count / seconds)}/s, ${busy}${latency}${foreignNote([window])}${suffix}`;
}

export function percent(part: number): string {
  return `${Math.round(part * 100)}%`;
}

/** The first fault and the number of the others, as the property of a row. */
export function faultIn(faults: readonly string[]): { readonly fault?: string } {
  const [first] = faults;
  if (first === undefined) return {};
  return { fault: faults.length === 1 ? first : `${first} (and ${faults.length - 1} more)` };
}
