import type { BenchContext } from '../context.js';
import type { CatchUp } from '../load/catch-up.js';
import { PARLEY } from '../servers/targets.js';
import { countingTransactions, describeCatchUp, ticksOf } from './transactions.js';
import { withServer } from './with-server.js';

export interface Restart extends CatchUp {
  /** Without those of the ticks. */
  readonly transactions: number;
}

export interface Restarts {
  /** All clients come back within `RESTART.atOnceMs`. */
  readonly atOnce: Restart;
  /** They come back as the published recipe lets them: after 0.5 s, each with its own delay. */
  readonly spread: Restart;
}

export const RESTART = { clients: 100, behind: 20, atOnceMs: 100, spreadMs: 500 } as const;

/** Measures what a server reads for clients of one room that come back to it after its start. */
export async function measureRestarts(context: BenchContext): Promise<Restarts> {
  const run = (spreadMs: number): Promise<Restart> =>
    countingTransactions(context, (counting, counter) =>
      withServer(counting, PARLEY, async (server, load) => {
        const place = await context.testbed.history(RESTART.behind + 1);
        const restart = await load.catchUp({
          port: server.port,
          pid: server.pid,
          tokens: context.testbed.tokens,
          clients: RESTART.clients,
          spreadMs,
          ...place,
          count: RESTART.behind,
        });
        const transactions = counter.transactionsSince(restart.startedAt) - ticksOf(restart);
        context.log(
          `restart, back within ${spreadMs} ms: ${describeCatchUp(restart)}, ${transactions} transactions`,
        );
        return { ...restart, transactions };
      }),
    );
  return { atOnce: await run(RESTART.atOnceMs), spread: await run(RESTART.spreadMs) };
}
