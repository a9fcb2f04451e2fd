import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Servers, startServers } from '../faults/environment/environment.js';
import type { Attack } from './attack.js';
import { attacks } from './attacks.js';
import { runAttack } from './run-attack.js';
import { openTarget, type Target } from './target.js';

/** All attacks in their short form, one after the other on one server, or on one of its own if it has settings. `npm run abuse` measures them in full. */
let servers: Servers;
let target: Target;

beforeAll(async () => {
  servers = await startServers();
  target = await openTarget(servers);
});

afterAll(async () => {
  await target.instance.shutDown();
  // Throws if the server has exited before.
  await target.environment.close();
  await servers.stop();
});

test.each(attacks.map((attack, index): [Attack, string] => [attack, `127.0.0.${index + 2}`]))(
  '$title: a member beside it is refused nothing',
  async (attack, address) => {
    const own = attack.settings && (await openTarget(servers, attack.settings));
    const { result } = await runAttack(own ?? target, attack, address, 'short');
    expect(result).not.toBe('');
    await own?.instance.shutDown();
    // Throws if the server has exited before.
    await own?.environment.close();
  },
  60_000,
);
