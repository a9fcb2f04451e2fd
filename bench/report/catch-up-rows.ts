import { BURST, type Bursts } from '../measure/bursts.js';
import { type Replays, SELECTING_COUNT } from '../measure/replays.js';
import { RESTART, type Restarts } from '../measure/restarts.js';
import { cpuMicrosOf } from '../measure/transactions.js';
import { faultIn, medianOf, rounded } from './figures.js';
import type { Row } from './table.js';

/** Garbage makes memory vary by less than this; holding a long history in memory would take some 100 MB. */
const MAX_GROWTH_MB = 32;
/** A shorter history, even if all of it were held in memory, could not be distinguished from garbage. */
const MIN_BOUNDED_COUNT = 100_000;

export function replayRows(replays: readonly Replays[]): readonly Row[] {
  const faults = replays.flatMap(({ short, long, floor, selecting }) => [
    ...short.faults,
    ...long.faults,
    ...floor.faults,
    ...selecting.faults,
  ]);
  const common = { part: 'replay', better: 'less', ...faultIn(faults) } as const;
  const [first] = replays;
  const isBounded = first === undefined || first.long.count >= MIN_BOUNDED_COUNT;
  const range = first
    ? `from ${first.short.count.toLocaleString('en')} to ${first.long.count.toLocaleString('en')} messages`
    : 'from a short history to a long one';
  return [
    {
      ...common,
      workload: `replay of ${SELECTING_COUNT.toLocaleString('en')} messages with their authors and rooms: transactions`,
      value: medianOf(replays, ({ selecting }) => selecting.transactions),
      unit: 'transactions',
      must: 30,
      aim: 15,
      note: `with the comparison of heads, once per second; ${rounded(medianOf(replays, ({ selecting }) => cpuMicrosOf(selecting)))} µs CPU per message`,
    },
    {
      ...common,
      workload: `replay of ${first?.long.count.toLocaleString('en') ?? 'many'} messages: CPU against the floor`,
      value: medianOf(replays, ({ long, floor }) => cpuMicrosOf(long) / cpuMicrosOf(floor)),
      unit: 'x',
      must: 4,
      aim: 2,
      note: `CPU per message: Parley ${rounded(medianOf(replays, ({ long }) => cpuMicrosOf(long)))} µs, floor ${rounded(medianOf(replays, ({ floor }) => cpuMicrosOf(floor)))} µs`,
    },
    {
      ...common,
      workload: `replay: growth of CPU per message ${range}`,
      value: medianOf(replays, ({ short, long }) => cpuMicrosOf(long) / cpuMicrosOf(short)),
      unit: 'x',
      must: 1.5,
      aim: null,
      note: `${rounded(medianOf(replays, ({ long }) => cpuMicrosOf(long)))} µs per message of the long history`,
    },
    {
      ...common,
      workload: `replay: growth of the peak RSS ${range}`,
      value: medianOf(replays, ({ short, long }) => Math.max(0, long.peakBytes - short.peakBytes) / 2 ** 20),
      unit: 'MB',
      must: isBounded ? MAX_GROWTH_MB : null,
      aim: null,
      note: `0 if it did not grow${isBounded ? '' : '; no bound, because the history is short'}`,
    },
  ];
}

export function burstRows(bursts: readonly Bursts[]): readonly Row[] {
  const common = {
    part: 'burst',
    better: 'less',
    ...faultIn(bursts.flatMap(({ small, large }) => [...small.faults, ...large.faults])),
  } as const;
  const burst = `burst of ${BURST.large} messages of ${BURST.characters.toLocaleString('en')} characters to ${BURST.subscribers} subscribers`;
  const cpuPerByte = ({ cpuSeconds, bytes }: Bursts['small']) => cpuSeconds / bytes;
  return [
    {
      ...common,
      workload: `${burst}: transactions`,
      value: medianOf(bursts, ({ large }) => large.transactions),
      unit: 'transactions',
      must: 20,
      aim: 12,
      note: `with the sends; a burst of ${BURST.small}: ${rounded(medianOf(bursts, ({ small }) => small.transactions))}`,
    },
    {
      ...common,
      workload: `${burst}: CPU per KB against a burst of ${BURST.small}`,
      value: medianOf(bursts, ({ small, large }) => cpuPerByte(large) / cpuPerByte(small)),
      unit: 'x',
      must: 1.5,
      aim: 1,
      note: `${rounded(medianOf(bursts, ({ large }) => large.seconds * 1000))} ms until the last delivery`,
    },
  ];
}

export function restartRows(restarts: readonly Restarts[]): readonly Row[] {
  const { clients, behind, atOnceMs, spreadMs } = RESTART;
  const common = {
    part: 'restart',
    better: 'less',
    unit: 'transactions',
    ...faultIn(restarts.flatMap(({ atOnce, spread }) => [...atOnce.faults, ...spread.faults])),
  } as const;
  const restart = `restart with ${clients} clients, ${behind} messages behind in one room`;
  return [
    {
      ...common,
      workload: `${restart}, back within ${atOnceMs} ms: transactions`,
      value: medianOf(restarts, ({ atOnce }) => atOnce.transactions),
      must: 20,
      aim: 8,
      note: 'without the comparison of heads',
    },
    {
      ...common,
      workload: `${restart}, back within ${spreadMs} ms as by the recipe: transactions`,
      value: medianOf(restarts, ({ spread }) => spread.transactions),
      must: clients + 10,
      aim: 60,
      note: 'without the comparison of heads',
    },
  ];
}
