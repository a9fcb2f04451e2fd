import { type Environment, openEnvironment, type Servers } from './environment/environment.js';
import type { Outcome, Scale, Scenario } from './scenario.js';

/** Runs a scenario in an environment of its own, and closes it. Also rejects if an instance exited unexpectedly. */
export async function runScenario(servers: Servers, scenario: Scenario, scale: Scale): Promise<Outcome> {
  return runIn(await openEnvironment(servers), scenario, scale);
}

/** Runs a scenario in this environment, and closes it. */
export async function runIn(environment: Environment, scenario: Scenario, scale: Scale): Promise<Outcome> {
  let outcome: Outcome;
  try {
    outcome = await scenario.run(environment, scale);
  } catch (error) {
    // The first error is more informative than the exit of an instance after it.
    const closing = await environment.close().catch((reason: unknown) => reason);
    throw closing instanceof Error ? new Error(`${error}\n${closing.message}`) : error;
  }
  await environment.close();
  return outcome;
}
