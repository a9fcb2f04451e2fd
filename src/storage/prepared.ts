import type { Database } from './pool.js';

/** A parameter as the driver sends it: see `arrayOf` for arrays. */
type Parameter = string | number | null;

/**
 * Runs a statement that each connection prepares once. Drizzle would build it anew for each call, which takes longer than
 * the statement itself, and prepares only some kinds of statements. Behind a pooler, nothing is prepared.
 *
 * @param text must be a constant: every different one is kept in memory, here and in the server.
 */
export async function runPrepared<Row extends object>(
  db: Database,
  text: string,
  parameters: readonly Parameter[],
): Promise<readonly Row[]> {
  return db.$client.unsafe<Row[]>(text, [...parameters], { prepare: true });
}

/** An array of numbers or ids as text: the driver knows no array types. */
export function arrayOf(values: readonly (string | number)[]): string {
  return `{${values.join(',')}}`;
}
