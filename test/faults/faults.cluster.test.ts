import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Servers, startServers } from './lab.js';
import { runScenario } from './run-scenario.js';
import { scenarios } from './scenarios.js';

/** Each in its short form; `npm run faults` runs them in full. Servers of their own, since they break them. */
let servers: Servers;

beforeAll(async () => {
  servers = await startServers();
});

afterAll(() => servers.stop());

test.each(scenarios)(
  '$title: every message once, in order, on every screen',
  async (scenario) => {
    const outcome = await runScenario(servers, scenario, 'short');

    expect(outcome).toMatchObject({
      acked: outcome.sent,
      lost: 0,
      duplicated: 0,
      outOfOrder: 0,
      unseen: 0,
    });
    expect(outcome.sent).toBeGreaterThan(0);
  },
  60_000,
);
