/**
 * The promise's outcome, or the timeout's error if it takes longer. The promise itself goes on; its outcome is ignored then.
 *
 * @param onTimeout makes the error. It is called at most once.
 */
export async function withTimeout<Result>(
  promise: Promise<Result>,
  milliseconds: number,
  onTimeout: () => Error,
): Promise<Result> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(onTimeout()), milliseconds);
  });
  try {
    return await Promise.race([promise, timeout]);
  } finally {
    clearTimeout(timer);
  }
}

/** Waits until the promise has settled, however it does, and at most for the given time. Never rejects. */
export async function settledWithin(promise: Promise<unknown>, milliseconds: number): Promise<void> {
  await withTimeout(promise, milliseconds, () => new Error('Timed out.')).catch(() => {});
}
