/** The longest pause between two flushes, in ms, and so the longest delay that batching adds to a delivery. */
const MAX_FLUSH_PAUSE_MS = 20;

interface Flushable {
  /** `now` is in ms since 1970. */
  flush(now: number): void;
}

/** The outboxes of the next paced flush. */
let paced: Flushable[] = [];
let lastFlushEndedAt = 0;
let lastFlushTookMs = 0;

/**
 * Flushes the outbox at the end of this turn of the event loop, together with all others that ask for it. A long flush is
 * followed by a pause of twice its duration: under load, more frames share one write, and writing takes about a third of
 * the time.
 */
export function flushSoon(outbox: Flushable): void {
  if (paced.push(outbox) > 1) return;
  const pauseMs = Math.min(2 * lastFlushTookMs, MAX_FLUSH_PAUSE_MS) - (performance.now() - lastFlushEndedAt);
  if (pauseMs >= 1) setTimeout(flushPaced, pauseMs);
  else setImmediate(flushPaced);
}

/** The outboxes to flush at the end of this turn. */
let immediate: Flushable[] = [];

/** Flushes the outbox at the end of this turn of the event loop, without a pause: for responses to the client. */
export function flushThisTurn(outbox: Flushable): void {
  if (immediate.push(outbox) > 1) return;
  setImmediate(() => {
    const batch = immediate;
    immediate = [];
    const now = Date.now();
    for (const each of batch) each.flush(now);
  });
}

function flushPaced(): void {
  const batch = paced;
  paced = [];
  const start = performance.now();
  const now = Date.now();
  for (const each of batch) each.flush(now);
  lastFlushEndedAt = performance.now();
  lastFlushTookMs = lastFlushEndedAt - start;
}
