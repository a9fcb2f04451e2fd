import { setTimeout as sleep } from 'node:timers/promises';
import { busyShare, coreTimes, cpuSeconds, foreignShare } from '../machine/usage.js';
import type { Crowd } from './crowd.js';

/** The figures of one measurement window. */
export interface Window {
  readonly seconds: number;
  /** The number of deliveries, or of acknowledged messages if there are no subscribers. */
  readonly count: number;
  /** CPU time of the server's process per counted item, in µs. */
  readonly cpuMicros: number;
  /** CPU time of the server's process as a share of the elapsed time, 0 to 1. */
  readonly serverBusy: number;
  /** The share of the time that the server's core was busy, for any process; null if nothing is pinned. */
  readonly coreBusy: number | null;
  /** The share of the time that other processes or the host used the server's core; null if nothing is pinned. */
  readonly foreignBusy: number | null;
  /** The share of the time that the core of all other processes was busy; null if nothing is pinned. */
  readonly loadBusy: number | null;
  /** Latency from sending to arrival, in ms; null if it was not measured. */
  readonly p50: number | null;
  readonly p99: number | null;
  /** The 99th percentile of the server's time from reading what was published to having written it; see preload.mjs. */
  readonly writeP99?: number | null;
  readonly faults: readonly string[];
  /** Whether all deliveries arrived before the timeout. If not, late ones would distort the next window. */
  readonly isSettled: boolean;
}

/** The figures that are computed from readings at the start and the end of a window. */
type Readings = Pick<
  Window,
  'seconds' | 'count' | 'cpuMicros' | 'serverBusy' | 'coreBusy' | 'foreignBusy' | 'loadBusy'
>;

export interface Timing {
  /** The server's processes. */
  readonly pids: readonly number[];
  /** The cores of the server and of the load; null if nothing is pinned. */
  readonly cores: { readonly server: number; readonly load: number } | null;
  /** How long the load runs before the window opens, in seconds. */
  readonly warmUpSeconds: number;
  readonly seconds: number;
}

/** How long to wait for late deliveries after a window. */
const SETTLE_TIMEOUT_MS = 10_000;
/** The timing resolution of messages at a fixed rate. */
const TICK_INTERVAL_MS = 1;

/** Measures one window under load, after the warm-up. `count` returns the number of items counted so far. */
export async function openWindow(
  { pids, cores, warmUpSeconds, seconds }: Timing,
  count: () => number,
  onOpen: () => void = () => {},
): Promise<Readings> {
  const read = () => ({
    at: performance.now(),
    count: count(),
    cpu: pids.reduce((sum, pid) => sum + cpuSeconds(pid), 0),
    cores: coreTimes(),
  });
  await sleep(warmUpSeconds * 1000);
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
    coreBusy: cores && busyShare(before.cores[cores.server], after.cores[cores.server]),
    foreignBusy: cores && foreignShare(before.cores[cores.server], after.cores[cores.server], serverBusy),
    loadBusy: cores && busyShare(before.cores[cores.load], after.cores[cores.load]),
  };
}

/** Sends a fixed number of messages per second, to the rooms in turn, whether or not the server keeps up. */
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

/** Sends at full speed: each room always has `outstanding` messages that not all subscribers have received yet. */
export async function saturated(
  crowd: Crowd,
  rooms: number,
  outstanding: number,
  timing: Timing,
): Promise<Window> {
  crowd.onDeliveredToAll = crowd.send;
  for (let room = 0; room < rooms; room++) for (let i = 0; i < outstanding; i++) crowd.send(room);
  const window = await openWindow(timing, () => crowd.deliveries, crowd.latency.reset);
  crowd.onDeliveredToAll = () => {};
  return finish(crowd, window);
}

async function finish(crowd: Crowd, window: Readings): Promise<Window> {
  const [p50, p99] = [crowd.latency.quantile(0.5), crowd.latency.quantile(0.99)];
  const isSettled = await crowd.settle(SETTLE_TIMEOUT_MS);
  return { ...window, p50, p99, faults: crowd.takeFaults(), isSettled };
}
