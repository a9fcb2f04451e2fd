import type { BenchContext } from '../context.js';
import type { Timing, Window } from '../load/windows.js';
import { describeWindow } from '../report/figures.js';
import type { Target } from '../servers/targets.js';
import { quantile } from '../statistics.js';
import type { LoadKind, Workload } from '../workloads.js';
import type { Results } from './results.js';
import { withInstances } from './with-server.js';

/** Deliveries per second of the load `rate`. */
export const RATE = 10_000;
/** Messages per second of the load `flood`. */
export const FLOOD = 200;
/** Messages per room that not all subscribers have received yet, in the load `saturated`. */
const OUTSTANDING = 4;
/** Messages that may wait for their acknowledgement while the sender is slow for a moment. */
const MAX_IN_FLIGHT = 400;

/**
 * Runs all loads of a workload against one server, from its start to its stop. A server that has not delivered everything
 * after one load is not measured under the next ones.
 */
export function runWorkload(
  context: BenchContext,
  workload: Workload,
  target: Target,
  round: number,
  results: Results,
): Promise<void> {
  const { testbed, cores, scale, log } = context;
  const { rooms, subscribersPerRoom, loads } = workload;
  const kinds = loads.get(target) ?? [];
  return withInstances(context, target, async (servers, load) => {
    const timing = (seconds: number, warmUpSeconds = scale.warmUp): Timing => ({
      pids: servers.map(({ pid }) => pid),
      cores,
      warmUpSeconds,
      seconds,
    });
    async function measure(kind: LoadKind): Promise<Window> {
      if (kind === 'saturated')
        return load.saturated({ outstanding: OUTSTANDING, timing: timing(scale.saturated) });
      if (kind === 'rate')
        return load.atRate({ perSecond: RATE / subscribersPerRoom, timing: timing(scale.rate) });
      const [server] = servers;
      await server.takeWriteTimes();
      const window = await load.atRate({ perSecond: FLOOD, timing: timing(scale.saturated) });
      return { ...window, writeP99: quantile(await server.takeWriteTimes(), 0.99) };
    }

    await load.openCrowd({
      ports: servers.map(({ port }) => port),
      protocol: target.protocol,
      tokens: testbed.tokens,
      rooms: testbed.rooms.slice(0, rooms),
      subscribersPerRoom,
      sender: testbed.sender,
      concurrency: MAX_IN_FLIGHT,
    });
    const warmUp = await load.saturated({
      outstanding: OUTSTANDING,
      timing: timing(scale.initialWarmUp, 0),
    });
    await measureInTurn(kinds, warmUp, measure, {
      onWindow(kind, window) {
        results.add(workload, kind, target, { ...window, round });
        log(`${rooms} x ${subscribersPerRoom}, ${kind}, ${target.name}: ${describeWindow(window)}`);
      },
      onFault(kind, fault) {
        results.addFault(workload, kind, target, fault);
        log(`${rooms} x ${subscribersPerRoom}, ${kind}, ${target.name}: FAULT: ${fault}`);
      },
    });
  });
}

/** Measures one load after the other, and stops after a load whose messages were not all delivered. */
export async function measureInTurn(
  kinds: readonly LoadKind[],
  warmUp: Window,
  measure: (kind: LoadKind) => Promise<Window>,
  on: {
    readonly onWindow: (kind: LoadKind, window: Window) => void;
    /** Receives a fault outside of a window, once for each load whose figures it affects. */
    readonly onFault: (kind: LoadKind, fault: string) => void;
  },
): Promise<void> {
  for (const kind of kinds)
    for (const fault of warmUp.faults) on.onFault(kind, `during the warm-up: ${fault}`);
  let last = warmUp;
  for (const kind of kinds) {
    if (!last.isSettled) {
      on.onFault(kind, 'not measured: earlier messages were still undelivered');
      continue;
    }
    last = await measure(kind);
    on.onWindow(kind, last);
  }
}
