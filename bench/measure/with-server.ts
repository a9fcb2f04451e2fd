import type { BenchContext } from '../context.js';
import { type Load, startLoad } from '../load/process.js';
import { type Server, startServer } from '../servers/start.js';
import type { Target } from '../servers/targets.js';

/** Starts a server and a load generator for it; both are stopped when `use` has settled. */
export function withServer<Result>(
  context: BenchContext,
  target: Target,
  use: (server: Server, load: Load) => Promise<Result>,
): Promise<Result> {
  return withInstances(context, { ...target, instances: 1 }, ([server], load) => use(server, load));
}

/** The same with all instances of a server, which share a core. */
export async function withInstances<Result>(
  context: BenchContext,
  target: Target,
  use: (servers: readonly [Server, ...Server[]], load: Load) => Promise<Result>,
): Promise<Result> {
  const load = startLoad(context.cores?.load ?? null);
  const others: Server[] = [];
  try {
    const first = await startServer(target, context);
    try {
      for (let instance = 1; instance < (target.instances ?? 1); instance++)
        others.push(await startServer(target, context));
      return await use([first, ...others], load);
    } finally {
      for (const server of [first, ...others]) await server.stop();
    }
  } finally {
    load.stop();
  }
}
