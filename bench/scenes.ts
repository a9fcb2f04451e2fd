import type { Lab } from './lab.js';
import { startLoad } from './load/process.js';
import type { Timing, Window } from './load/windows.js';
import type { LoadKind, Scene, Shape } from './parts.js';
import { type Contestant, startServer } from './servers.js';

/** Deliveries a second, where the rate is fixed. */
export const RATE = 10_000;
/** Messages a second. */
export const FLOOD = 200;
/** Messages that not everybody in a room has got yet, where the server is saturated. */
const OUTSTANDING = 4;
/** Messages that may be on their way to be stored, where the sender is slow for a moment. */
const MOST_UNDER_WAY = 400;

/** Windows by scene, load and server. */
export interface Results {
  add(shape: Shape, kind: LoadKind, contestant: Contestant, window: Window): void;
  /** Of all rounds; none where it failed in each. */
  of(shape: Shape, kind: LoadKind, contestant: Contestant): readonly Window[];
}

export function createResults(): Results {
  const windows = new Map<string, Window[]>();
  const key = (shape: Shape, kind: LoadKind, { name }: Contestant) =>
    `${shape.rooms}x${shape.readersPerRoom} ${kind} ${name}`;
  return {
    add(shape, kind, contestant, window) {
      const name = key(shape, kind, contestant);
      windows.set(name, [...(windows.get(name) ?? []), window]);
    },
    of: (shape, kind, contestant) => windows.get(key(shape, kind, contestant)) ?? [],
  };
}

/** One server with one crowd, through all of its loads, from its start to its end. */
export async function playScene(
  lab: Lab,
  scene: Scene,
  contestant: Contestant,
  results: Results,
): Promise<void> {
  const { stage, cores, scale } = lab;
  const { rooms, readersPerRoom } = scene;
  const server = await startServer(contestant, lab);
  const load = startLoad(cores?.load ?? null);
  const timing = (seconds: number): Timing => ({
    pid: server.pid,
    cores,
    warmSeconds: scale.warm,
    seconds,
  });
  try {
    await load.openCrowd({
      port: server.port,
      protocol: contestant.protocol,
      tokens: stage.tokens,
      rooms: stage.rooms.slice(0, rooms),
      readersPerRoom,
      sender: stage.sender,
      concurrency: MOST_UNDER_WAY,
    });
    await load.saturated({ outstanding: OUTSTANDING, timing: { ...timing(scale.shake), warmSeconds: 0 } });
    for (const kind of scene.loads.get(contestant) ?? []) {
      const window = await (kind === 'saturated'
        ? load.saturated({ outstanding: OUTSTANDING, timing: timing(scale.saturated) })
        : load.atRate({
            perSecond: kind === 'flood' ? FLOOD : RATE / readersPerRoom,
            timing: timing(kind === 'flood' ? scale.saturated : scale.rate),
          }));
      results.add(scene, kind, contestant, window);
      lab.say(`${rooms} x ${readersPerRoom}, ${kind}, ${contestant.name}: ${describe(window)}`);
    }
  } finally {
    load.stop();
    await server.stop();
  }
}

export function describe({
  count,
  seconds,
  cpuMicros,
  serverBusy,
  loadBusy,
  p50,
  p99,
  faults,
}: Window): string {
  const latency = p99 === null ? '' : `, p50 ${p50} ms, p99 ${p99} ms`;
  const busy = `server's core ${Math.round(serverBusy * 100)}%, load's ${loadBusy === null ? '–' : `${Math.round(loadBusy * 100)}%`}`;
  const wrong = faults.length > 0 ? `; WRONG: ${faults.join('; ')}` : '';
  return `${cpuMicros.toFixed(2)} µs CPU each, ${Math.round(count / seconds)}/s, ${busy}${latency}${wrong}`;
}
