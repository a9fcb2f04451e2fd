/** Minimum time between two lines, in ms, unless another is given. */
const MIN_LOG_INTERVAL_MS = 1000;

/**
 * Throttles a log line that a flood could repeat: at most one per interval is written, a second by default. The field
 * `suppressed` counts the lines suppressed since the last one.
 *
 * @returns a function that logs, and returns whether it wrote this line.
 */
export function throttleLog(
  write: (fields: object, message: string) => void,
  intervalMs = MIN_LOG_INTERVAL_MS,
): (fields: object, message: string) => boolean {
  let lastAt = Number.NEGATIVE_INFINITY;
  let suppressed = 0;
  return (fields, message) => {
    const now = performance.now();
    if (now - lastAt < intervalMs) {
      suppressed += 1;
      return false;
    }
    write(suppressed > 0 ? { ...fields, suppressed } : fields, message);
    lastAt = now;
    suppressed = 0;
    return true;
  };
}
