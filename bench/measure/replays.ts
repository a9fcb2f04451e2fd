import type { BenchContext } from '../context.js';
import type { CatchUp } from '../load/catch-up.js';
import { PARLEY } from '../servers/targets.js';
import { countingTransactions, describeCatchUp } from './transactions.js';
import { withServer } from './with-server.js';

/** The catch-up of one client, and the transactions of the server during it. */
export interface Replay extends CatchUp {
  readonly count: number;
  readonly transactions: number;
}

export interface Replays {
  readonly short: Replay;
  readonly long: Replay;
  /** Of `SELECTING_COUNT` messages, with their rooms. */
  readonly selecting: Replay;
}

export const SELECTING_COUNT = 1000;

/** Selects what must not cost a query per message. */
const SELECTING = `subscription Live($roomId: ID!, $after: String) {
  messageAdded(roomId: $roomId, after: $after) {
    cursor
    node { id seq text createdAt author { username displayName } room { id name memberCount } }
  }
}`;

/** Measures replays of a short and a long history on one server, after one that warms it up. */
export function measureReplays(context: BenchContext): Promise<Replays> {
  return countingTransactions(context, (counting, counter) =>
    withServer(counting, PARLEY, async (server, load) => {
      const { short, long } = context.scale.replay;
      const history = await context.testbed.history(long + 1);
      const run = async (count: number, room = history, query?: string): Promise<Replay> => {
        const replay = await load.catchUp({
          port: server.port,
          pid: server.pid,
          tokens: context.testbed.tokens,
          clients: 1,
          spreadMs: 0,
          ...room,
          count,
          ...(query === undefined ? {} : { query }),
        });
        const transactions = counter.transactionsSince(replay.startedAt);
        context.log(`replay of ${count}: ${describeCatchUp(replay)}, ${transactions} transactions`);
        return { ...replay, count, transactions };
      };
      await run(short);
      const room = await context.testbed.history(SELECTING_COUNT + 1);
      return {
        selecting: await run(SELECTING_COUNT, room, SELECTING),
        short: await run(short),
        long: await run(long),
      };
    }),
  );
}
