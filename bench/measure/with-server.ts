import type { BenchContext } from '../context.js';
import { type Load, startLoad } from '../load/process.js';
import { type Server, startServer } from '../servers/start.js';
import type { Target } from '../servers/targets.js';

/** Starts a server and a load generator for it; both are stopped when `use` has settled. */
export async function withServer<Result>(
  context: BenchContext,
  target: Target,
  use: (server: Server, load: Load) => Promise<Result>,
): Promise<Result> {
  const load = startLoad(context.cores?.load ?? null);
  try {
    const server = await startServer(target, context);
    try {
      return await use(server, load);
    } finally {
      await server.stop();
    }
  } finally {
    load.stop();
  }
}
