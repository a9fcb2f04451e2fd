/**
 * What this process has started and not yet stopped. A test stops what it starts; this is for the test that fails
 * before it gets there.
 */
const stops = new Set<() => Promise<unknown>>();

/** Has `stop` called in the end, unless the function this returns is called first. */
export function stopInTheEnd(stop: () => Promise<unknown>): () => void {
  stops.add(stop);
  return () => stops.delete(stop);
}

/** Latest first, and all of them, whatever fails: then throws the first failure. */
export async function stopAll(): Promise<void> {
  const failures: unknown[] = [];
  for (const stop of [...stops].reverse()) {
    stops.delete(stop);
    await stop().catch((error: unknown) => failures.push(error));
  }
  if (failures.length > 0) throw failures[0];
}
