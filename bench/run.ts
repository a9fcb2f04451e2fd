import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { stopAll } from '../test/helpers/stopping.js';
import { describeMachine, describePinning, findCores, pinTo } from './machine/cores.js';
import { measureAll, type Outcome } from './measure/all.js';
import type { Results } from './measure/results.js';
import { SENDERS } from './measure/sends.js';
import { type Options, parseOptions } from './options.js';
import { barChart } from './report/chart.js';
import { cpuOf } from './report/figures.js';
import { rowsOf } from './report/rows.js';
import { TABLE_HEAD, tableRow, verdictOf } from './report/table.js';
import { estimateSeconds, FULL, QUICK } from './scale.js';
import { installPeers } from './servers/install-peers.js';
import { FLOOR, PARLEY, PEERS, type Target, YOGA } from './servers/targets.js';
import { openTestbed } from './testbed.js';
import { PARTS, room, workloadsOf } from './workloads.js';

/**
 * `npm run bench [-- [--quick] [--peers] [--only=<part>[,<part>]] [--profile=<folder>]]`: compares Parley with the floor and
 * the ordinary Yoga pipeline, on Linux. Prints progress on standard error and a Markdown table on standard output. Exits with
 * status 1 if a row misses its `must`. A full run draws docs/performance.svg. The method is described in docs/performance.md.
 */
const CHART = fileURLToPath(new URL('../docs/performance.svg', import.meta.url));

/** Sockets open at once in a full run: the idle subscriptions, or the largest room. */
const MAX_SOCKETS = 5000;

for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => {
    // The reaper ends processes that are just being started (see test/helpers/temporary-folder.ts).
    void stopAll().finally(() => process.exit(130));
  });

const flags = process.argv.slice(2);
const options = readOptions();
if (process.platform !== 'linux') fail('The bench reads /proc, so it runs only on Linux.');
else if (openFilesLimit() < MAX_SOCKETS * 1.2)
  fail(
    `The bench opens ${MAX_SOCKETS} sockets: raise the limit of open files, e.g. with \`ulimit -n 20000\`.`,
  );
else if (options) await run(options);

/** Null if the options are invalid, after reporting why. */
function readOptions(): Options | null {
  try {
    return parseOptions(flags);
  } catch (error) {
    fail(error instanceof Error ? error.message : String(error));
    return null;
  }
}

async function run({ quick, withPeers, parts, profileFolder }: Options): Promise<void> {
  const scale = quick ? QUICK : FULL;
  const peers = withPeers ? PEERS : [];
  if (withPeers) installPeers();
  const cores = findCores();
  if (cores) pinTo(cores.load);
  const heading = `${new Date().toISOString().slice(0, 10)}, ${describeMachine()}; ${describePinning(cores)}`;
  const command = ['npm run bench', ...(flags.length > 0 ? ['--', ...flags] : [])].join(' ');
  const start = performance.now();
  const log = (line: string): void =>
    console.error(`${((performance.now() - start) / 1000).toFixed(0)} s  ${line}`);
  const workloads = workloadsOf(parts, peers);
  const minutes = estimateSeconds(workloads, parts, scale) / 60;
  log(`this takes about ${minutes.toFixed(0)} minutes`);

  let outcome: Outcome;
  try {
    const testbed = await openTestbed(Math.max(SENDERS, ...workloads.map(({ rooms }) => rooms)));
    outcome = await measureAll({ testbed, cores, scale, profileFolder, log }, workloads, parts);
  } finally {
    await stopAll();
  }

  const { measured, failures } = outcome;
  const rows = rowsOf(measured, parts);
  console.log(`${heading}: \`${command}\`\n\n${TABLE_HEAD}`);
  for (const row of rows) console.log(tableRow(row));
  if (failures.length > 0) console.log(`\n${failures.join('\n')}`);
  if (failures.length > 0 || rows.some((row) => verdictOf(row) === 'FALLS SHORT')) process.exitCode = 1;

  if (quick || profileFolder !== null || parts.size < PARTS.length) return;
  drawChart(measured.results, peers, `${heading.split(';')[0]}: ${command}`);
}

/** Draws CPU per delivery in a room of 1,000 at the fixed rate, one bar per server that was measured. */
function drawChart(results: Results, peers: readonly Target[], source: string): void {
  const bars = [FLOOR, PARLEY, YOGA, ...peers].flatMap((target) => {
    const windows = results.of(room(1000), 'rate', target);
    return windows.length === 0
      ? []
      : [{ label: target.title, value: cpuOf(windows), highlighted: target === PARLEY }];
  });
  if (bars.length === 0) return;
  const title = 'Server CPU per delivery: one room, 1,000 subscribers, 10,000 deliveries/s';
  writeFileSync(CHART, barChart(bars, { title, subtitle: `Less is better. ${source}`, unit: 'µs' }));
}

function openFilesLimit(): number {
  const limit = execFileSync('sh', ['-c', 'ulimit -n'], { encoding: 'utf8' }).trim();
  return limit === 'unlimited' ? Number.POSITIVE_INFINITY : Number(limit);
}

function fail(message: string): void {
  console.error(message);
  process.exitCode = 1;
}
