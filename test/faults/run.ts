import { describeMachine } from '../../bench/machine/cores.js';
import { stopAll } from '../helpers/stopping.js';
import { startServers } from './environment/environment.js';
import { runScenario } from './run-scenario.js';
import type { Scale, Scenario } from './scenario.js';
import { scenarios } from './scenarios.js';
import { passed, type Result, TABLE_HEAD, tableRow } from './table.js';

/**
 * `npm run faults [-- [--short] NAME …]`: runs all scenarios, or the named ones, and prints a Markdown table. Exits with
 * status 1 if a message was lost, duplicated, out of order or unseen, or if a scenario failed in another way.
 */
const names = process.argv.slice(2).filter((argument) => !argument.startsWith('--'));
const scale: Scale = process.argv.includes('--short') ? 'short' : 'full';
const unknown = names.filter((name) => !scenarios.some((scenario) => scenario.name === name));

let interrupted = false;
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => {
    interrupted = true;
    // The reaper ends processes that are just being started (see test/helpers/temporary-folder.ts).
    void stopAll().finally(() => process.exit(130));
  });

if (unknown.length > 0) {
  console.error(
    `Unknown scenario: ${unknown.join(', ')}. Scenarios: ${scenarios.map(({ name }) => name).join(', ')}.`,
  );
  process.exitCode = 1;
} else await run(scenarios.filter(({ name }) => names.length === 0 || names.includes(name)));

async function run(chosen: readonly Scenario[]): Promise<void> {
  try {
    const servers = await startServers();
    console.log(`${heading()}\n\n${TABLE_HEAD}`);
    for (const scenario of chosen) {
      const start = performance.now();
      const result: Result = await runScenario(servers, scenario, scale).then(
        (outcome) => ({ outcome }),
        (error: unknown) => ({ error }),
      );
      if (interrupted) return;
      console.log(tableRow(scenario, result, (performance.now() - start) / 1000));
      if (!passed(result)) process.exitCode = 1;
    }
  } finally {
    await stopAll();
  }
}

function heading(): string {
  const command = ['npm run faults', ...(process.argv.length > 2 ? ['--', ...process.argv.slice(2)] : [])];
  return `${new Date().toISOString().slice(0, 10)}, ${describeMachine()}: \`${command.join(' ')}\``;
}
