import type { BenchContext } from '../context.js';
import type { CatchUp } from '../load/catch-up.js';
import { PARLEY, STORE_FLOOR } from '../servers/targets.js';
import type { Place } from '../testbed.js';
import { countingTransactions, describeCatchUp } from './transactions.js';
import { withServer } from './with-server.js';

/** The catch-up of one client. */
export interface Replay extends CatchUp {
  readonly count: number;
}

export interface Replays {
  readonly short: Replay;
  readonly long: Replay;
  /** The long history, as the floor reads it. */
  readonly floor: Replay;
  /** Of `SELECTING_COUNT` messages, with their rooms, and the server's transactions meanwhile. */
  readonly selecting: Replay & { readonly transactions: number };
}

export const SELECTING_COUNT = 1000;

/** Selects what must not cost a query per message. */
const SELECTING = `subscription Live($roomId: ID!, $after: String) {
  messageAdded(roomId: $roomId, after: $after) {
    cursor
    node { id seq text createdAt author { username displayName } room { id name memberCount } }
  }
}`;

type Run = (count: number, place?: Place, query?: string) => Promise<Replay>;

/** Measures replays of a short and a long history, each after one that warms up the server. */
export async function measureReplays(context: BenchContext): Promise<Replays> {
  const { testbed, scale, log } = context;
  const { short, long } = scale.replay;
  const history = await testbed.history(long + 1);

  const withReplays = <Result>(
    target: typeof PARLEY,
    used: BenchContext,
    measure: (run: Run) => Promise<Result>,
  ): Promise<Result> =>
    withServer(used, target, ({ pid, port }, load) =>
      measure(async (count, place = history, query) => {
        const clients = { port, pid, tokens: testbed.tokens, clients: 1, spreadMs: 0 };
        const replay = await load.catchUp({
          ...clients,
          ...place,
          count,
          ...(query === undefined ? {} : { query }),
        });
        log(`replay of ${count}, ${target.name}: ${describeCatchUp(replay)}`);
        return { ...replay, count };
      }),
    );

  const selecting = await countingTransactions(context, (counting, counter) =>
    withReplays(PARLEY, counting, async (run) => {
      await run(short);
      const place = await testbed.history(SELECTING_COUNT + 1);
      const replay = await run(SELECTING_COUNT, place, SELECTING);
      return { ...replay, transactions: counter.transactionsSince(replay.startedAt) };
    }),
  );
  const ours = await withReplays(PARLEY, context, async (run) => {
    await run(short);
    return { short: await run(short), long: await run(long) };
  });
  const floor = await withReplays(STORE_FLOOR, context, async (run) => {
    await run(short);
    return run(long);
  });
  return { ...ours, floor, selecting };
}
