import { setTimeout as sleep } from 'node:timers/promises';

/** The interval between two batches, in ms. */
const BATCH_INTERVAL_MS = 50;

/**
 * Closes all connections, evenly spread over a period, so that their clients do not reconnect in one burst. Connections
 * that close by themselves count toward the rate; the period ends early if none is left.
 *
 * @param listOpen returns the connections that are open and not being closed.
 * @param overMs the period in ms; 0 closes all at once.
 */
export async function closeEvenly<Connection>(
  listOpen: () => readonly Connection[],
  overMs: number,
  close: (connection: Connection) => Promise<void> | void,
): Promise<void> {
  const start = performance.now();
  const initial = listOpen().length;
  const closing: (Promise<void> | void)[] = [];
  for (;;) {
    const open = listOpen();
    if (open.length === 0) break;
    const elapsed = performance.now() - start + BATCH_INTERVAL_MS;
    const remaining = elapsed >= overMs ? 0 : Math.floor(initial * (1 - elapsed / overMs));
    closing.push(...open.slice(remaining).map(close));
    if (remaining === 0) break;
    await sleep(BATCH_INTERVAL_MS);
  }
  await Promise.all(closing);
}
