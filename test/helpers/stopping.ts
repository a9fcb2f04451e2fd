/**
 * The stop functions of everything that this process has started and not stopped yet. Tests stop what they start; this covers
 * tests that fail before they do.
 */
const stops = new Set<() => Promise<unknown>>();

/** Registers `stop` to be called by `stopAll`. The function that is returned removes it again. */
export function stopAtEnd(stop: () => Promise<unknown>): () => void {
  stops.add(stop);
  return () => stops.delete(stop);
}

/** Calls all registered functions, the latest first, even if some of them fail; then throws the first failure. */
export async function stopAll(): Promise<void> {
  const failures: unknown[] = [];
  for (const stop of [...stops].reverse()) {
    stops.delete(stop);
    await stop().catch((error: unknown) => failures.push(error));
  }
  if (failures.length > 0) throw failures[0];
}
