import { type Lab, openLab, type Servers } from './lab.js';
import type { Outcome, Scale, Scenario } from './scenario.js';

/** Runs a scenario in a lab of its own, which is gone afterwards. Rejects, too, where an instance ended by itself. */
export async function runScenario(servers: Servers, scenario: Scenario, scale: Scale): Promise<Outcome> {
  return runIn(await openLab(servers), scenario, scale);
}

/** Runs it in this lab, and closes that. */
export async function runIn(lab: Lab, scenario: Scenario, scale: Scale): Promise<Outcome> {
  let outcome: Outcome;
  try {
    outcome = await scenario.run(lab, scale);
  } catch (error) {
    // What went wrong first tells more than that an instance has ended, too.
    const closing = await lab.close().catch((reason: unknown) => reason);
    throw closing instanceof Error ? new Error(`${error}\n${closing.message}`) : error;
  }
  await lab.close();
  return outcome;
}
