const MIN_WAIT_MS = 500;
const MAX_WAIT_MS = 5000;

/**
 * Resolves after a random part of a pause that doubles with every attempt, up to 5 s; at once when the network is back or the
 * signal is aborted.
 *
 * @param {number} attempt 0 for the first one.
 * @param {AbortSignal} signal
 * @returns {Promise<void>}
 */
export function retryWait(attempt, signal) {
  const pause = Math.min(MAX_WAIT_MS, MIN_WAIT_MS * 2 ** attempt);
  return new Promise((resolve) => {
    const timer = setTimeout(end, pause * (0.5 + Math.random() / 2));
    addEventListener('online', end);
    signal.addEventListener('abort', end);
    if (signal.aborted) end();

    function end() {
      clearTimeout(timer);
      removeEventListener('online', end);
      signal.removeEventListener('abort', end);
      resolve();
    }
  });
}
