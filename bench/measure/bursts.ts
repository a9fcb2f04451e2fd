import type { BenchContext } from '../context.js';
import type { CatchUp } from '../load/catch-up.js';
import { PARLEY } from '../servers/targets.js';
import { countingTransactions, describeCatchUp, ticksOf } from './transactions.js';
import { withServer } from './with-server.js';

export interface Burst extends CatchUp {
  readonly count: number;
  /** Without those of the ticks. */
  readonly transactions: number;
}

export interface Bursts {
  readonly small: Burst;
  readonly large: Burst;
}

export const BURST = { subscribers: 200, characters: 4000, small: 100, large: 200 } as const;

/** Measures bursts of long messages to one room, which do not fit into an envelope, nor into what a feed keeps in memory. */
export function measureBursts(context: BenchContext): Promise<Bursts> {
  return countingTransactions(context, (counting, counter) =>
    withServer(counting, PARLEY, async (server, load) => {
      const { tokens, sender } = context.testbed;
      const run = async (count: number): Promise<Burst> => {
        const place = await context.testbed.newRoom();
        const burst = await load.catchUp({
          port: server.port,
          pid: server.pid,
          tokens,
          clients: BURST.subscribers,
          spreadMs: 100,
          ...place,
          count,
          // Through the server that is measured: its own sends are part of the burst.
          burst: { sender: { ...sender, port: server.port }, text: 'x'.repeat(BURST.characters) },
        });
        const transactions = counter.transactionsSince(burst.startedAt) - ticksOf(burst);
        context.log(`burst of ${count}: ${describeCatchUp(burst)}, ${transactions} transactions`);
        return { ...burst, count, transactions };
      };
      await run(BURST.small);
      return { small: await run(BURST.small), large: await run(BURST.large) };
    }),
  );
}
