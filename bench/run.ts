import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { stopAll } from '../test/helpers/stopping.js';
import { barChart } from './chart.js';
import { cpuOf } from './figures.js';
import type { Lab } from './lab.js';
import type { Window } from './load/windows.js';
import { describeMachine, findCores, stayOn } from './machine.js';
import { PARTS, type Part, parseParts, type SendsPart, scenesOf } from './parts.js';
import { installPeers } from './peers.js';
import { rowsOf } from './rows.js';
import { estimateSeconds, FULL, orderIn, QUICK } from './scale.js';
import { createResults, playScene } from './scenes.js';
import { FLOOR, PARLEY, PEERS, YOGA } from './servers.js';
import {
  type Idle,
  measureIdle,
  measureReplays,
  measureSends,
  type Replays,
  SENDERS,
  SENDS_PARTS,
} from './single.js';
import { openStage } from './stage.js';
import { TABLE_HEAD, tableRow, verdictOf } from './table.js';

/**
 * `npm run bench [-- [--quick] [--peers] [--only=<part>[,<part>]] [--profile=<folder>]]`: compares Parley with the floor and
 * the ordinary Yoga pipeline, on Linux. Prints progress on standard error and a Markdown table on standard output, and exits
 * with 1 where a "must" falls short; a full run draws docs/performance.svg. Method: docs/performance.md.
 */
const CHART = fileURLToPath(new URL('../docs/performance.svg', import.meta.url));

/** Of the full run: idle subscriptions, or a room. */
const MAX_SOCKETS = 5000;

interface Options {
  readonly quick: boolean;
  readonly withPeers: boolean;
  readonly parts: ReadonlySet<Part>;
  readonly profileFolder: string | null;
}

for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => {
    // What starts at this very moment is ended by the reaper (see test/helpers/temporary-folder.ts).
    void stopAll().finally(() => process.exit(130));
  });

const flags = process.argv.slice(2);
const options = readOptions();
if (process.platform !== 'linux') fail('The bench reads /proc, so it runs on Linux only.');
else if (openFilesLimit() < MAX_SOCKETS * 1.2)
  fail(`The bench opens ${MAX_SOCKETS} sockets: allow more files, e.g. by \`ulimit -n 20000\`.`);
else if (options) await run(options);

/** Null where they make no sense, which is then said. */
function readOptions(): Options | null {
  try {
    const { values } = parseArgs({
      args: flags,
      options: {
        quick: { type: 'boolean', default: false },
        peers: { type: 'boolean', default: false },
        only: { type: 'string' },
        profile: { type: 'string' },
      },
    });
    return {
      quick: values.quick,
      withPeers: values.peers,
      parts: values.only === undefined ? new Set(PARTS) : parseParts(values.only),
      profileFolder: values.profile ?? null,
    };
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
  if (cores) stayOn(cores.load);
  const heading = `${new Date().toISOString().slice(0, 10)}, ${describeMachine(cores)}`;
  const command = ['npm run bench', ...(flags.length > 0 ? ['--', ...flags] : [])].join(' ');
  const start = performance.now();
  const say = (line: string): void =>
    console.error(`${((performance.now() - start) / 1000).toFixed(0)} s  ${line}`);
  const scenes = scenesOf(parts, peers);
  const results = createResults();
  const sends: Record<SendsPart, Window[]> = { 'sends-websocket': [], 'sends-http': [], 'sends-rooms': [] };
  const idle: Idle[] = [];
  const replays: Replays[] = [];

  const failures: string[] = [];

  /** What fails in one round is told in the end, and the others go on. */
  const attempt = async (what: string, measure: () => Promise<void>): Promise<void> => {
    await measure().catch((error: unknown) => {
      failures.push(`${what} FAILED: ${String(error)}`);
      say(failures.at(-1) ?? '');
    });
  };

  const minutes = estimateSeconds(scenes, parts, scale) / 60;
  say(`this takes some ${minutes.toFixed(0)} minutes`);
  try {
    const stage = await openStage(Math.max(SENDERS, ...scenes.map(({ rooms }) => rooms)));
    const lab: Lab = { stage, cores, scale, profileFolder, say };
    for (let round = 1; round <= scale.rounds; round++) {
      say(`round ${round} of ${scale.rounds}`);
      for (const scene of scenes)
        for (const contestant of orderIn(round, scene))
          await attempt(`${scene.rooms} x ${scene.readersPerRoom}, ${contestant.name}`, () =>
            playScene(lab, scene, contestant, round, results),
          );
      for (const part of SENDS_PARTS)
        if (parts.has(part))
          await attempt(part, async () => void sends[part].push(await measureSends(lab, part)));
    }
    if (parts.has('idle')) await attempt('idle', async () => void idle.push(await measureIdle(lab)));
    if (parts.has('replay'))
      await attempt('replay', async () => void replays.push(await measureReplays(lab)));
  } finally {
    await stopAll();
  }

  const rows = rowsOf({ results, idle, sends, replays }, parts);
  console.log(`${heading}: \`${command}\`\n\n${TABLE_HEAD}`);
  for (const row of rows) console.log(tableRow(row));
  if (failures.length > 0) console.log(`\n${failures.join('\n')}`);
  if (failures.length > 0 || rows.some((row) => verdictOf(row) === 'FALLS SHORT')) process.exitCode = 1;

  if (quick || profileFolder !== null || parts.size < PARTS.length) return;
  const bars = [FLOOR, PARLEY, YOGA, ...peers].flatMap((contestant) => {
    const windows = results.of({ rooms: 1, readersPerRoom: 1000 }, 'rate', contestant);
    return windows.length === 0
      ? []
      : [{ label: contestant.title, value: cpuOf(windows), highlighted: contestant === PARLEY }];
  });
  if (bars.length > 0)
    writeFileSync(
      CHART,
      barChart(bars, {
        title: 'Server CPU per delivery: one room, 1,000 subscribers, 10,000 deliveries/s',
        subtitle: `Less is better. ${heading.split(';')[0]}: ${command}`,
        unit: 'µs',
      }),
    );
}

function openFilesLimit(): number {
  const limit = execFileSync('sh', ['-c', 'ulimit -n'], { encoding: 'utf8' }).trim();
  return limit === 'unlimited' ? Number.POSITIVE_INFINITY : Number(limit);
}

function fail(message: string): void {
  console.error(message);
  process.exitCode = 1;
}
