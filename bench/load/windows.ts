import { setTimeout as sleep } from 'node:timers/promises';
import { busyPart, coreTimes, cpuSeconds, foreignPart } from '../measure.js';
import type { Crowd } from './crowd.js';

/** What was measured between two moments. */
export interface Window {
  readonly seconds: number;
  /** Deliveries, or messages sent where nobody subscribes. */
  readonly count: number;
  /** CPU of the server's process per one of these, in µs. */
  readonly cpuMicros: number;
  /** Which part of the time the server's process has worked, 0 to 1. */
  readonly serverBusy: number;
  /** Which part of the time its core has worked, for whomever; null where nothing is pinned. */
  readonly coreBusy: number | null;
  /** Which part of the time its core has worked for somebody else, or was taken by the machine's host; null where nothing is pinned. */
  readonly foreignBusy: number | null;
  /** Which part of the time the core has worked that all others share; null where nothing is pinned. */
  readonly loadBusy: number | null;
  /** From sending to arrival, in ms. */
  readonly p50: number | null;
  readonly p99: number | null;
  readonly faults: readonly string[];
  /** Whether all had come some seconds after the last message was sent. Else what comes still would spoil another window. */
  readonly isSettled: boolean;
}

/** What is read at a window's edges. */
type Readings = Pick<
  Window,
  'seconds' | 'count' | 'cpuMicros' | 'serverBusy' | 'coreBusy' | 'foreignBusy' | 'loadBusy'
>;

export interface Timing {
  readonly pid: number;
  /** Cores of the server and of the load; null where nothing is pinned. */
  readonly cores: { readonly server: number; readonly load: number } | null;
  /** Load before the window begins, in seconds. */
  readonly warmSeconds: number;
  readonly seconds: number;
}

/** How long stragglers are waited for, in ms. */
const TIMEOUT_MS = 10_000;
/** How far messages at a fixed rate may be from their time, in ms. */
const TICK_INTERVAL_MS = 1;

/** Opens a window after the warm-up, of what `count` tells; the load goes on meanwhile. */
export async function openWindow(
  { pid, cores, warmSeconds, seconds }: Timing,
  count: () => number,
  onOpen: () => void = () => {},
): Promise<Readings> {
  const read = () => ({ at: performance.now(), count: count(), cpu: cpuSeconds(pid), cores: coreTimes() });
  await sleep(warmSeconds * 1000);
  onOpen();
  const before = read();
  await sleep(seconds * 1000);
  const after = read();
  const elapsed = (after.at - before.at) / 1000;
  const counted = after.count - before.count;
  const cpu = after.cpu - before.cpu;
  const serverBusy = cpu / elapsed;
  return {
    seconds: elapsed,
    count: counted,
    cpuMicros: (cpu * 1e6) / counted,
    serverBusy,
    coreBusy: cores && busyPart(before.cores[cores.server], after.cores[cores.server]),
    foreignBusy: cores && foreignPart(before.cores[cores.server], after.cores[cores.server], serverBusy),
    loadBusy: cores && busyPart(before.cores[cores.load], after.cores[cores.load]),
  };
}

/** So many messages a second, to the rooms in turn, whether or not the server keeps up. */
export async function atRate(
  crowd: Crowd,
  rooms: number,
  perSecond: number,
  timing: Timing,
): Promise<Window> {
  const start = performance.now();
  let sent = 0;
  const timer = setInterval(() => {
    const due = ((performance.now() - start) / 1000) * perSecond;
    for (; sent < due; sent++) crowd.send(sent % rooms);
  }, TICK_INTERVAL_MS);
  const window = await openWindow(timing, () => crowd.deliveries, crowd.latency.reset);
  clearInterval(timer);
  return finish(crowd, window);
}

/** As fast as it goes: in each room always so many messages that not everybody has got yet. */
export async function saturated(
  crowd: Crowd,
  rooms: number,
  outstanding: number,
  timing: Timing,
): Promise<Window> {
  crowd.onEverywhere = crowd.send;
  for (let room = 0; room < rooms; room++) for (let i = 0; i < outstanding; i++) crowd.send(room);
  const window = await openWindow(timing, () => crowd.deliveries, crowd.latency.reset);
  crowd.onEverywhere = () => {};
  return finish(crowd, window);
}

async function finish(crowd: Crowd, window: Readings): Promise<Window> {
  const [p50, p99] = [crowd.latency.quantile(0.5), crowd.latency.quantile(0.99)];
  const isSettled = await crowd.settle(TIMEOUT_MS);
  return { ...window, p50, p99, faults: crowd.takeFaults(), isSettled };
}
