import { existsSync, readdirSync } from 'node:fs';

const FILES = '/proc/self/fd';

/** Counts the resources of this process: timers, connections, its own listeners, and open files if /proc is available. */
export function resources(): Map<string, number> {
  const counts = new Map<string, number>();
  for (const kind of process.getActiveResourcesInfo()) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  for (const event of process.eventNames())
    counts.set(`listeners of ${String(event)}`, process.listenerCount(event));
  if (existsSync(FILES)) counts.set('files', readdirSync(FILES).length);
  return counts;
}

/** Resources that the waiting test itself may hold. */
const TOLERANCE = new Map([
  ['Timeout', 3],
  ['Immediate', 2],
]);

/** The resources whose count has grown since `before`, and by how much. */
export function moreThan(before: ReadonlyMap<string, number>): Record<string, number> {
  const more = [...resources()].map(
    ([kind, count]) => [kind, count - (before.get(kind) ?? 0) - (TOLERANCE.get(kind) ?? 0)] as const,
  );
  return Object.fromEntries(more.filter(([, count]) => count > 0));
}
