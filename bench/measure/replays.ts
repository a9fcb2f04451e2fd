import type { BenchContext } from '../context.js';
import type { Replay } from '../load/replay.js';
import { PARLEY } from '../servers/targets.js';
import { withServer } from './with-server.js';

export interface Replays {
  readonly short: Replay;
  readonly long: Replay;
}

/** Measures the replay of a short and then a long history on one server, after a first replay that warms it up. */
export function measureReplays(context: BenchContext): Promise<Replays> {
  return withServer(context, PARLEY, async (server, load) => {
    const token = context.testbed.tokens[0] ?? '';
    const { short, long } = context.scale.replay;
    const { roomId, after } = await context.testbed.history(long + 1);
    const options = { port: server.port, pid: server.pid, token, roomId, after, afterSeq: 1 };
    const run = async (count: number): Promise<Replay> => {
      const replay = await load.replay({ ...options, count });
      const { cpuMicros, seconds, peakBytes, faults } = replay;
      const suffix = faults.length > 0 ? `; FAULTS: ${faults.join('; ')}` : '';
      context.log(
        `replay of ${count}: ${cpuMicros.toFixed(1)} µs CPU each, ${seconds.toFixed(1)} s, peak ${peakBytes} bytes${suffix}`,
      );
      return replay;
    };
    await run(short);
    return { short: await run(short), long: await run(long) };
  });
}
