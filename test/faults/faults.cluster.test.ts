import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Instance } from './instance.js';
import { type Lab, openLab, type Servers, startServers, withInstances } from './lab.js';
import { runIn, runScenario } from './run-scenario.js';
import type { Outcome, Scenario } from './scenario.js';
import { scenarios } from './scenarios.js';

/** Each in its short form; `npm run faults` runs them in full. Servers of their own, since they break them. */
let servers: Servers;

beforeAll(async () => {
  servers = await startServers();
});

afterAll(() => servers.stop());

function assertFlawless(outcome: Outcome): void {
  expect(outcome).toMatchObject({
    acked: outcome.sent,
    lost: 0,
    duplicated: 0,
    outOfOrder: 0,
    unseen: 0,
  });
  expect(outcome.sent).toBeGreaterThan(0);
}

const keeping = scenarios.filter(({ keepsInstances }) => keepsInstances);
const breaking = scenarios.filter(({ keepsInstances }) => !keepsInstances);
const NAME = '$title: every message once, in order, on every screen';
const TIMEOUT_MS = 60_000;

test.each(breaking)(
  NAME,
  async (scenario: Scenario) => assertFlawless(await runScenario(servers, scenario, 'short')),
  TIMEOUT_MS,
);

/** These leave the instances as they were: two serve all of them, since a start costs more than a short form. */
describe('two instances that outlive all of it', () => {
  let lab: Lab;
  let instances: readonly Instance[];

  beforeAll(async () => {
    lab = await openLab(servers);
    instances = await lab.startAll(2);
  });

  // Throws where one of them has ended by itself.
  afterAll(() => lab.close());

  test.each(keeping)(
    NAME,
    async (scenario: Scenario) =>
      assertFlawless(await runIn(withInstances(lab, instances), scenario, 'short')),
    TIMEOUT_MS,
  );
});
