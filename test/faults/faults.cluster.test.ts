import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  type Environment,
  openEnvironment,
  type Servers,
  startServers,
  withInstances,
} from './environment/environment.js';
import type { Instance } from './environment/instance.js';
import { runIn, runScenario } from './run-scenario.js';
import type { Outcome, Scenario } from './scenario.js';
import { scenarios } from './scenarios.js';

/** All scenarios in their short form, on private servers because they break them. `npm run faults` runs them in full. */
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
const NAME = '$title: every subscriber receives every message once and in order';
const TIMEOUT_MS = 60_000;

test.each(breaking)(
  NAME,
  async (scenario: Scenario) => assertFlawless(await runScenario(servers, scenario, 'short')),
  TIMEOUT_MS,
);

/** These scenarios keep the instances running, so they share two: a start takes longer than a short scenario. */
describe('two instances that keep running', () => {
  let environment: Environment;
  let instances: readonly Instance[];

  beforeAll(async () => {
    environment = await openEnvironment(servers);
    instances = await environment.startAll(2);
  });

  // Throws if one of them has exited.
  afterAll(() => environment.close());

  test.each(keeping)(
    NAME,
    async (scenario: Scenario) =>
      assertFlawless(await runIn(withInstances(environment, instances), scenario, 'short')),
    TIMEOUT_MS,
  );
});
