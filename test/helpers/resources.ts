import { existsSync, readdirSync } from 'node:fs';

const FILES = '/proc/self/fd';

/** What this process holds, by kind: timers, connections, listeners of its own, and open files where that can be told. */
export function resources(): Map<string, number> {
  const counts = new Map<string, number>();
  for (const kind of process.getActiveResourcesInfo()) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  for (const event of process.eventNames())
    counts.set(`listeners of ${String(event)}`, process.listenerCount(event));
  if (existsSync(FILES)) counts.set('files', readdirSync(FILES).length);
  return counts;
}

/** Whoever waits for the answer holds a few of these. */
const OURS = new Map([
  ['Timeout', 3],
  ['Immediate', 2],
]);

/** Of what there is more than before, and how much more. */
export function moreThan(before: ReadonlyMap<string, number>): Record<string, number> {
  const more = [...resources()].map(
    ([kind, count]) => [kind, count - (before.get(kind) ?? 0) - (OURS.get(kind) ?? 0)] as const,
  );
  return Object.fromEntries(more.filter(([, count]) => count > 0));
}
