import { describeMachine } from '../../bench/machine/cores.js';
import { schema } from '../../src/graphql/schema/index.js';
import { startServers } from '../faults/environment/environment.js';
import { stopAll } from '../helpers/stopping.js';
import type { Attack } from './attack.js';
import { attacks } from './attacks.js';
import { dearDocuments, measureDocument } from './documents.js';
import { failureOf, type Repetition, runAttack } from './run-attack.js';
import { openTarget } from './target.js';

/**
 * `npm run abuse [-- [--own-address] [--seed=NUMBER] [--case=KIND:NUMBER] NAME …]`: runs all attacks, or the named ones, beside
 * a member who sends twice a second, and prints a Markdown table. Exits with status 1 if the member had to wait or was refused
 * anything, if the server used too much memory, or if it did not stop in time afterwards. `--seed` and `--case` repeat the
 * random input of an earlier run, as its failure names them.
 *
 * A second table, `documents`, shows what dear documents cost before they run.
 */
const DOCUMENTS = 'documents';
const names = process.argv.slice(2).filter((argument) => !argument.startsWith('--'));
const address = process.argv.includes('--own-address') ? '127.0.0.1' : '127.0.0.2';
const unknown = names.filter((name) => name !== DOCUMENTS && !attacks.some((attack) => attack.name === name));
const [, seed] = /^--seed=(\d+)$/m.exec(process.argv.join('\n')) ?? [];
const [, kind, index] = /^--case=(frames|requests):(\d+)$/m.exec(process.argv.join('\n')) ?? [];
const repetition: Repetition = {
  seed: seed === undefined ? undefined : Number(seed),
  only: kind === 'frames' || kind === 'requests' ? { kind, index: Number(index) } : undefined,
};
const MAX_STOP_MS = 35_000;

if (unknown.length > 0) {
  console.error(
    `Unknown attack: ${unknown.join(', ')}. Attacks: ${[...attacks.map(({ name }) => name), DOCUMENTS].join(', ')}.`,
  );
  process.exitCode = 1;
} else await run();

async function run(): Promise<void> {
  const command = ['npm run abuse', ...(process.argv.length > 2 ? ['--', ...process.argv.slice(2)] : [])];
  console.log(`${new Date().toISOString().slice(0, 10)}, ${describeMachine()}: \`${command.join(' ')}\`\n`);
  try {
    if (isWanted(DOCUMENTS)) printDocuments();
    const wanted = attacks.filter(({ name }) => isWanted(name));
    if (wanted.length > 0) await runAttacks(wanted);
  } finally {
    await stopAll();
  }
}

function isWanted(name: string): boolean {
  return names.length === 0 || names.includes(name);
}

/** Runs in this process, before the servers take their share of the machine. */
function printDocuments(): void {
  console.log('| document | parsing, ms | parsing, limits and validation, ms | result |');
  console.log('|---|--:|--:|---|');
  for (const document of dearDocuments) {
    const { parseMs, checkMs, isAccepted, failure } = measureDocument(schema, document);
    if (failure !== null) process.exitCode = 1;
    const result = `${isAccepted ? 'accepted' : 'rejected'}${failure === null ? '' : ` **FAILED: ${failure}**`}`;
    console.log(`| ${[document.title, parseMs.toFixed(2), checkMs.toFixed(2), result].join(' | ')} |`);
  }
  console.log('');
}

async function runAttacks(wanted: readonly Attack[]): Promise<void> {
  const servers = await startServers();
  console.log('| attack | p99 before, ms | p99 during, ms | memory, MB | stopped after, ms | result |');
  console.log('|---|--:|--:|--:|--:|---|');
  for (const attack of wanted) {
    const target = await openTarget(servers, attack.settings);
    try {
      const outcome = await runAttack(target, attack, address, 'full', repetition);
      const start = performance.now();
      await target.instance.shutDown();
      const stoppedMs = performance.now() - start;
      const failure = failureOf(outcome) ?? (stoppedMs > MAX_STOP_MS ? 'did not stop in time' : null);
      const { beforeMs, duringMs, residentMb, result } = outcome;
      const figures = [beforeMs, duringMs, residentMb, stoppedMs].map((value) => value.toFixed(0));
      row(attack, figures, failure === null ? result : `**FAILED: ${failure}** ${result}`);
      if (failure !== null) process.exitCode = 1;
    } catch (error) {
      row(attack, ['–', '–', '–', '–'], `**FAILED** ${String(error).replaceAll('\n', ' ')}`);
      process.exitCode = 1;
    }
    await target.environment.close();
  }
}

function row({ title, name }: Attack, figures: readonly string[], note: string): void {
  console.log(`| ${[`${title} (\`${name}\`)`, ...figures, note].join(' | ')} |`);
}
