import { type Environment, openEnvironment, type Servers } from '../faults/environment/environment.js';
import type { Instance } from '../faults/environment/instance.js';
import { createRoom, joinRoom, type Person, send, signUp } from '../helpers/client.js';

/** Heap of the server, in MB: small, so that an attack on its memory ends the process. */
const MAX_HEAP_MB = 512;
const ACCOUNTS = 3;
const MESSAGES = 120;

/** A server as it runs in production, with all limits, and a room with members and messages. */
export interface Target {
  readonly instance: Instance;
  readonly environment: Environment;
  readonly bystander: Person;
  /** Public. The first account is a member, the last one is not. */
  readonly roomId: string;
  readonly accounts: readonly Person[];
}

/** @param settings in addition to those of production. */
export async function openTarget(
  servers: Servers,
  settings: Readonly<Record<string, string>> = {},
): Promise<Target> {
  const environment = await openEnvironment(servers);
  const instance = await environment.start({
    RATE_LIMITS: 'on',
    GRAPHIQL: 'on',
    NODE_OPTIONS: `--max-old-space-size=${MAX_HEAP_MB}`,
    ...settings,
  });
  const bystander = await signUp(instance.url);
  const roomId = await createRoom(bystander);
  const accounts: Person[] = [];
  for (let count = 0; count < ACCOUNTS; count += 1) accounts.push(await signUp(instance.url));
  for (const account of accounts.slice(0, -1)) await joinRoom(account, roomId);
  const [member] = accounts;
  for (let count = 0; member && count < MESSAGES; count += 1)
    await send(member, roomId, `${count} ${'long text '.repeat(100)}`);
  return { instance, environment, bystander, roomId, accounts };
}
