import { setTimeout as sleep } from 'node:timers/promises';

/** How often some are closed, in ms. */
const STEP_MS = 50;

/**
 * Closes what is open, evenly spread over a time: clients that all came back at once would be a burst for whoever takes
 * them. What goes by itself meanwhile counts too, so the time is the most that it takes, and nothing is waited for where
 * nothing is open.
 *
 * @param open what is open and not being closed yet.
 * @param overMs the time, in ms; 0 closes all at once.
 */
export async function closeEvenly<T>(
  open: () => readonly T[],
  overMs: number,
  close: (one: T) => Promise<void> | void,
): Promise<void> {
  const start = performance.now();
  const all = open().length;
  const closing: (Promise<void> | void)[] = [];
  for (;;) {
    const left = open();
    if (left.length === 0) break;
    const passed = performance.now() - start + STEP_MS;
    const staying = passed >= overMs ? 0 : Math.floor(all * (1 - passed / overMs));
    closing.push(...left.slice(staying).map(close));
    if (staying === 0) break;
    await sleep(STEP_MS);
  }
  await Promise.all(closing);
}
