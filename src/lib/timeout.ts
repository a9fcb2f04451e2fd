/**
 * Settles as the promise does, or rejects with the timeout's error if that takes longer. The work behind the promise is not
 * canceled; after the timeout its outcome is ignored.
 *
 * @param onTimeout creates the error; called at most once.
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

/** Waits until the promise resolves or rejects, at most for the given time. Never rejects. */
export async function settledWithin(promise: Promise<unknown>, milliseconds: number): Promise<void> {
  await withTimeout(promise, milliseconds, () => new Error('Timed out.')).catch(() => {});
}
