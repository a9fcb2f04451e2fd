import type { BenchContext } from '../context.js';
import type { CatchUp } from '../load/catch-up.js';
import { startTransactionCounter, type TransactionCounter } from '../machine/transaction-counter.js';

/** Calls `use` with a context whose servers reach their database through a counter. */
export async function countingTransactions<Result>(
  context: BenchContext,
  use: (counting: BenchContext, counter: TransactionCounter) => Promise<Result>,
): Promise<Result> {
  const { testbed } = context;
  const counter = await startTransactionCounter(testbed.env.DATABASE_URL ?? '');
  const env = { ...testbed.env, DATABASE_URL: counter.url };
  return use({ ...context, testbed: { ...testbed, env } }, counter);
}

/** The comparisons of the heads during a catch-up: one per second, which are not part of it. */
export function ticksOf({ seconds }: CatchUp): number {
  return Math.ceil(seconds);
}

/** A line of progress about a catch-up. */
export function describeCatchUp(catchUp: CatchUp): string {
  const { deliveries, seconds, peakBytes, faults } = catchUp;
  const suffix = faults.length > 0 ? `; FAULTS: ${faults.join('; ')}` : '';
  return `${cpuMicrosOf(catchUp).toFixed(1)} µs CPU each, ${deliveries} in ${seconds.toFixed(1)} s, peak ${peakBytes} bytes${suffix}`;
}

/** The server's CPU time per delivered message, in µs. */
export function cpuMicrosOf({ cpuSeconds, deliveries }: CatchUp): number {
  return (cpuSeconds * 1e6) / deliveries;
}
