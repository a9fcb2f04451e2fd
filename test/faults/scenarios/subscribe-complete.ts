import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { createRoom, page, send } from '../../helpers/client.js';
import { type Operations, openOperations } from '../clients/operations.js';
import { at, openTestRoom } from '../clients/test-room.js';
import type { Instance } from '../environment/instance.js';
import { channelSubscribers, extra, filesForClients, untilEmpty } from '../environment/leftovers.js';
import { residentMb } from '../environment/process-stats.js';
import type { Scenario } from '../scenario.js';

/** A subscription of a pair: with a cursor, a message is delivered at once; without one, only new messages are. */
interface Target {
  readonly roomId: string;
  readonly after: string | null;
}

const QUERY = `subscription ($roomId: ID!, $after: String) {
  messageAdded(roomId: $roomId, after: $after) { node { seq } }
}`;
/** Rooms without other subscribers: their feeds start and end with the pairs. */
const QUIET_ROOMS = 20;
const PAIRS_PER_SOCKET = 20;
/** The maximum random delay before a pair completes. */
const MAX_DELAY_MS = 5;
/** Memory that may remain after all pairs, once as many have warmed up the instance: V8 lets its heap grow first. */
const MAX_GROWTH_MB = 64;
const TIMEOUT_MS = 15_000;

/** Without a fault: tests that subscriptions leave nothing behind and do not affect the other subscribers. */
export const subscribeComplete: Scenario = {
  name: 'subscribe-complete',
  title: '100,000 subscribe/complete pairs, after which nothing is left',
  keepsInstances: true,
  async run(environment, scale) {
    const [pairs, sockets] = scale === 'full' ? [100_000, 8] : [600, 4];
    const instances = await environment.startAll(2);
    const room = await openTestRoom(environment, { instances, subscribers: 6 });
    room.send({ pauseMs: 100 });
    await room.live();
    const targets: Target[] = Array.from({ length: QUIET_ROOMS }, () => ({
      roomId: room.id,
      after: null,
    }));
    for (let created = 0; created < QUIET_ROOMS; created += 1) {
      const roomId = await createRoom(room.owner);
      const { liveCursor: after } = await page(room.owner, roomId);
      await send(room.owner, roomId, 'hello');
      targets.push({ roomId, after });
    }

    const redis = new Redis(environment.redis.url);
    try {
      const channels = () => channelSubscribers(redis, environment.redisPrefix);
      const memory = () => Promise.all(instances.map(({ pid }) => residentMb(pid)));
      const files = () =>
        filesForClients(
          environment.databaseUrl,
          instances.map(({ pid }) => pid),
        );
      const churn = (count: number) =>
        subscribeAndComplete(instances, room.owner.token, targets, count, sockets);
      const channelsBefore = await channels();
      await churn(pairs);
      await untilEmpty('Channels are left', async () => extra(channelsBefore, await channels()));
      const [filesBefore, memoryBefore] = [await files(), await memory()];

      await churn(pairs);
      await untilEmpty('Channels are left', async () => extra(channelsBefore, await channels()));
      await untilEmpty('Open files are left', async () => extra(filesBefore, await files()));
      const memoryAfter = await memory();
      const growth = memoryAfter.map((mb, index) => mb - at(memoryBefore, index));
      if (growth.some((mb) => mb > MAX_GROWTH_MB))
        throw new Error(`The instances grew by ${growth.join(' and ')} MB.`);
      return await room.conclude({
        notes: `the instances grew by ${growth.join(' and ')} MB, to ${memoryAfter.join(' and ')} MB`,
      });
    } finally {
      redis.disconnect();
    }
  },
};

/** Runs the pairs over sockets of their own, and closes these in the end. */
async function subscribeAndComplete(
  instances: readonly Instance[],
  token: string,
  targets: readonly Target[],
  pairs: number,
  sockets: number,
): Promise<void> {
  let started = 0;
  await Promise.all(
    Array.from({ length: sockets }, async (_, index) => {
      const operations = await openOperations(at(instances, index).webSocketUrl, token);
      const work = async (): Promise<void> => {
        while (started < pairs) {
          started += 1;
          await pair(operations, at(targets, Math.floor(Math.random() * targets.length)));
        }
      };
      await Promise.all(Array.from({ length: PAIRS_PER_SOCKET }, work));
      operations.destroy();
    }),
  );
}

/** Subscribes and completes: at once, after a short delay, or after the first delivery if there is one at once. */
async function pair(operations: Operations, { roomId, after }: Target): Promise<void> {
  const kind = Math.random();
  await new Promise<void>((resolve, reject) => {
    const complete = operations.start(
      QUERY,
      { roomId, after },
      {
        next: () => kind >= 0.6 && leave(),
        ended: (errors) => reject(new Error(`A subscription ended: ${JSON.stringify(errors)}`)),
      },
    );
    const leave = (): void => {
      clearTimeout(timer);
      complete();
      resolve();
    };
    const waits = kind >= 0.6 && after !== null;
    const late = (): void => (waits ? reject(new Error('Nothing was delivered.')) : leave());
    const timer = setTimeout(late, waits ? TIMEOUT_MS : Math.random() * MAX_DELAY_MS);
    if (kind < 0.3) leave();
  });
  // So that not all operations of a socket are sent in one segment.
  if (Math.random() < 0.5) await sleep(Math.random() * MAX_DELAY_MS);
}
