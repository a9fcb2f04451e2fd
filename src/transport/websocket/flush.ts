/** The longest pause between two flushes, in ms: what a delivery is late by at most. */
const MAX_FLUSH_PAUSE_MS = 20;

/** Whoever has something to write. */
interface Flushable {
  /** `now` is in ms since 1970. */
  flush(now: number): void;
}

let flushes: Flushable[] = [];
let endedAt = 0;
let tookMs = 0;

/**
 * Flushes at the end of this turn of the event loop, with all others who want it. A flush that took long is followed by
 * a pause of twice that time: under load more frames join in one write, and about a third of the time goes into writing.
 */
export function flushSoon(outbox: Flushable): void {
  if (flushes.push(outbox) > 1) return;
  const pauseMs = Math.min(2 * tookMs, MAX_FLUSH_PAUSE_MS) - (performance.now() - endedAt);
  if (pauseMs >= 1) setTimeout(flushAll, pauseMs);
  else setImmediate(flushAll);
}

let prompt: Flushable[] = [];

/** Flushes at the end of this turn: an answer waits for nothing else. */
export function flushThisTurn(outbox: Flushable): void {
  if (prompt.push(outbox) > 1) return;
  setImmediate(() => {
    const all = prompt;
    prompt = [];
    const now = Date.now();
    for (const each of all) each.flush(now);
  });
}

function flushAll(): void {
  const all = flushes;
  flushes = [];
  const start = performance.now();
  const now = Date.now();
  for (const each of all) each.flush(now);
  endedAt = performance.now();
  tookMs = endedAt - start;
}
