import { foreignNote, percent, type RoundWindow } from './figures.js';
import type { Lab } from './lab.js';
import { type Load, startLoad } from './load/process.js';
import type { Timing, Window } from './load/windows.js';
import type { LoadKind, Scene, Shape } from './parts.js';
import { type Contestant, type Server, startServer } from './servers.js';

/** Deliveries a second, where the rate is fixed. */
export const RATE = 10_000;
/** Messages a second. */
export const FLOOD = 200;
/** Messages that not everybody in a room has got yet, where the server is saturated. */
const OUTSTANDING = 4;
/** Messages that may be on their way to be stored, where the sender is slow for a moment. */
const MAX_IN_FLIGHT = 400;

/** Windows by scene, load and server. */
export interface Results {
  add(shape: Shape, kind: LoadKind, contestant: Contestant, window: RoundWindow): void;
  /** Something that went wrong outside of any window. */
  addFault(shape: Shape, kind: LoadKind, contestant: Contestant, fault: string): void;
  /** Of all rounds; none where it failed in each. */
  of(shape: Shape, kind: LoadKind, contestant: Contestant): readonly RoundWindow[];
  /** All that went wrong, in windows or outside. */
  faultsOf(shape: Shape, kind: LoadKind, contestants: readonly Contestant[]): readonly string[];
}

export function createResults(): Results {
  const windows = new Map<string, RoundWindow[]>();
  const others = new Map<string, string[]>();
  const key = ({ rooms, readersPerRoom }: Shape, kind: LoadKind, { name }: Contestant) =>
    `${rooms}x${readersPerRoom} ${kind} ${name}`;
  const push = <Value>(lists: Map<string, Value[]>, name: string, value: Value): void =>
    void lists.set(name, [...(lists.get(name) ?? []), value]);
  return {
    add: (shape, kind, contestant, window) => push(windows, key(shape, kind, contestant), window),
    addFault: (shape, kind, contestant, fault) => push(others, key(shape, kind, contestant), fault),
    of: (shape, kind, contestant) => windows.get(key(shape, kind, contestant)) ?? [],
    faultsOf: (shape, kind, contestants) =>
      contestants.flatMap((contestant) => {
        const name = key(shape, kind, contestant);
        const faults = (windows.get(name) ?? []).flatMap((window) => window.faults);
        return [...faults, ...(others.get(name) ?? [])].map((fault) => `${contestant.name}: ${fault}`);
      }),
  };
}

/** Starts a server and a load for it, beside each other; both are gone when `use` has settled. */
export async function withServer<Result>(
  lab: Lab,
  contestant: Contestant,
  use: (server: Server, load: Load) => Promise<Result>,
): Promise<Result> {
  const load = startLoad(lab.cores?.load ?? null);
  try {
    const server = await startServer(contestant, lab);
    try {
      return await use(server, load);
    } finally {
      await server.stop();
    }
  } finally {
    load.stop();
  }
}

/**
 * One server with one crowd, through all of its loads, from its start to its end. A server that still has to deliver what
 * came before is not measured any further.
 */
export function playScene(
  lab: Lab,
  scene: Scene,
  contestant: Contestant,
  round: number,
  results: Results,
): Promise<void> {
  const { stage, cores, scale, say } = lab;
  const { rooms, readersPerRoom, loads } = scene;
  const kinds = loads.get(contestant) ?? [];
  return withServer(lab, contestant, async ({ pid, port }, load) => {
    const timing = (seconds: number, warmSeconds = scale.warm): Timing => ({
      pid,
      cores,
      warmSeconds,
      seconds,
    });
    const measure = (kind: LoadKind): Promise<Window> =>
      kind === 'saturated'
        ? load.saturated({ outstanding: OUTSTANDING, timing: timing(scale.saturated) })
        : load.atRate({
            perSecond: kind === 'flood' ? FLOOD : RATE / readersPerRoom,
            timing: timing(kind === 'flood' ? scale.saturated : scale.rate),
          });

    await load.openCrowd({
      port,
      protocol: contestant.protocol,
      tokens: stage.tokens,
      rooms: stage.rooms.slice(0, rooms),
      readersPerRoom,
      sender: stage.sender,
      concurrency: MAX_IN_FLIGHT,
    });
    const warmUp = await load.saturated({ outstanding: OUTSTANDING, timing: timing(scale.shake, 0) });
    await measureInTurn(kinds, warmUp, measure, {
      onWindow(kind, window) {
        results.add(scene, kind, contestant, { ...window, round });
        say(`${rooms} x ${readersPerRoom}, ${kind}, ${contestant.name}: ${describe(window)}`);
      },
      onFault(kind, fault) {
        results.addFault(scene, kind, contestant, fault);
        say(`${rooms} x ${readersPerRoom}, ${kind}, ${contestant.name}: WRONG: ${fault}`);
      },
    });
  });
}

/** Measures one load after the other; none any more where the last one has left something to deliver. */
export async function measureInTurn(
  kinds: readonly LoadKind[],
  warmUp: Window,
  measure: (kind: LoadKind) => Promise<Window>,
  on: {
    readonly onWindow: (kind: LoadKind, window: Window) => void;
    /** What went wrong outside of a window, and whose figures it concerns. */
    readonly onFault: (kind: LoadKind, fault: string) => void;
  },
): Promise<void> {
  for (const kind of kinds) for (const fault of warmUp.faults) on.onFault(kind, `while warming up: ${fault}`);
  let last = warmUp;
  for (const kind of kinds) {
    if (!last.isSettled) {
      on.onFault(kind, 'not measured, since what came before was not over');
      continue;
    }
    last = await measure(kind);
    on.onWindow(kind, last);
  }
}

export function describe(window: Window): string {
  const { count, seconds, cpuMicros, serverBusy, loadBusy, p50, p99, faults } = window;
  const latency = p99 === null ? '' : `, p50 ${p50} ms, p99 ${p99} ms`;
  const busy = `server ${percent(serverBusy)} busy, load's core ${loadBusy === null ? '–' : percent(loadBusy)}`;
  const wrong = faults.length > 0 ? `; WRONG: ${faults.join('; ')}` : '';
  return `${cpuMicros.toFixed(2)} µs CPU each, ${Math.round(count / seconds)}/s, ${busy}${latency}${foreignNote([window])}${wrong}`;
}
