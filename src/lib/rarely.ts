/** Between two lines of one kind, in ms. */
const QUIET_MS = 1000;

/**
 * For log lines that a flood could cause: writes at most one a second, which says how many were left out before it.
 *
 * @returns whether it wrote this one.
 */
export function rarely(
  write: (fields: object, message: string) => void,
): (fields: object, message: string) => boolean {
  let lastAt = Number.NEGATIVE_INFINITY;
  let leftOut = 0;
  return (fields, message) => {
    const now = performance.now();
    if (now - lastAt < QUIET_MS) {
      leftOut += 1;
      return false;
    }
    write(leftOut > 0 ? { ...fields, leftOut } : fields, message);
    lastAt = now;
    leftOut = 0;
    return true;
  };
}
