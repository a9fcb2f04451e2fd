import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { createRoom, page, send } from '../../helpers/client.js';
import { openFiles, residentMb } from '../figures.js';
import type { Instance } from '../instance.js';
import { type Operations, openOperations } from '../operations.js';
import type { Scenario } from '../scenario.js';
import { at, setScene } from '../scene.js';

/** Where pairs subscribe: after the cursor something comes at once; without one, whatever comes. */
interface Place {
  readonly roomId: string;
  readonly after: string | null;
}

const QUERY = `subscription ($roomId: ID!, $after: String) {
  messageAdded(roomId: $roomId, after: $after) { node { seq } }
}`;
/** Rooms that nobody else watches: their feeds begin and end with the pairs. */
const QUIET_ROOMS = 20;
const PAIRS_PER_SOCKET = 20;
const MAX_MS = 5;
/** What is left of 100,000 pairs, in MB, once as many as a tenth of them have warmed the instance up. */
const MAX_GROWTH_MB = 64;
const TIMEOUT_MS = 15_000;
const POLL_MS = 100;

/** Nothing breaks: what is tested is that nothing of a subscription stays, and that screens beside it notice nothing. */
export const subscribeComplete: Scenario = {
  name: 'subscribe-complete',
  title: '100,000 subscribe/complete pairs, after which nothing is left',
  keepsInstances: true,
  async run(lab, scale) {
    const [pairs, sockets] = scale === 'full' ? [100_000, 8] : [600, 4];
    const instances = await lab.startAll(2);
    const scene = await setScene(lab, { instances, screens: 6 });
    scene.send({ pauseMs: 100 });
    await scene.live();
    const places: Place[] = Array.from({ length: QUIET_ROOMS }, () => ({
      roomId: scene.roomId,
      after: null,
    }));
    for (let room = 1; room <= QUIET_ROOMS; room += 1) {
      const roomId = await createRoom(scene.person);
      const { liveCursor: after } = await page(scene.person, roomId);
      await send(scene.person, roomId, 'hello');
      places.push({ roomId, after });
    }

    const redis = new Redis(lab.redis.url);
    try {
      const channels = () => subscribers(redis, lab.redisPrefix);
      const figures = () => Promise.all(instances.map(({ pid }) => residentMb(pid)));
      const files = () => instances.map(({ pid }) => openFiles(pid));
      const churn = (count: number) =>
        subscribeAndComplete(instances, scene.person.token, places, count, sockets);
      const channelsBefore = await channels();
      await churn(pairs / 10);
      await until('Channels are left', async () => extra(channelsBefore, await channels()));
      const [filesBefore, memoryBefore] = [files(), await figures()];

      await churn(pairs);
      await until('Channels are left', async () => extra(channelsBefore, await channels()));
      await until('Open files are left', async () => extra(count(filesBefore), count(files())));
      const memory = await figures();
      const growth = memory.map((mb, index) => mb - at(memoryBefore, index));
      if (growth.some((mb) => mb > MAX_GROWTH_MB))
        throw new Error(`The instances grew by ${growth.join(' and ')} MB.`);
      return await scene.conclude({
        notes: `the instances grew by ${growth.join(' and ')} MB, to ${memory.join(' and ')} MB`,
      });
    } finally {
      redis.disconnect();
    }
  },
};

/** Over sockets of its own, which are closed in the end. */
async function subscribeAndComplete(
  instances: readonly Instance[],
  token: string,
  places: readonly Place[],
  pairs: number,
  sockets: number,
): Promise<void> {
  let begun = 0;
  await Promise.all(
    Array.from({ length: sockets }, async (_, index) => {
      const operations = await openOperations(at(instances, index).webSocketUrl, token);
      const work = async (): Promise<void> => {
        while (begun < pairs) {
          begun += 1;
          await pair(operations, at(places, Math.floor(Math.random() * places.length)));
        }
      };
      await Promise.all(Array.from({ length: PAIRS_PER_SOCKET }, work));
      operations.destroy();
    }),
  );
}

/** Completes at once, a moment later, or, where something comes at once, when it has come. */
async function pair(operations: Operations, { roomId, after }: Place): Promise<void> {
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
    const timer = setTimeout(late, waits ? TIMEOUT_MS : Math.random() * MAX_MS);
    if (kind < 0.3) leave();
  });
  // So that not all of a socket's go in one segment.
  if (Math.random() < 0.5) await sleep(Math.random() * MAX_MS);
}

/** How many instances listen to each channel of the deployment. */
async function subscribers(redis: Redis, prefix: string): Promise<ReadonlyMap<string, number>> {
  // Redis answers with texts, and for NUMSUB with names and numbers by turns.
  const names = (await redis.pubsub('CHANNELS', `${prefix}:*`)) as string[];
  const answer = names.length > 0 ? await redis.pubsub('NUMSUB', ...names) : [];
  return new Map(names.map((name) => [name, Number(answer[answer.indexOf(name) + 1])]));
}

function count(numbers: readonly number[]): ReadonlyMap<string, number> {
  return new Map(numbers.map((number, index) => [`instance ${index + 1}`, number]));
}

/** What there is more of than before. */
function extra(before: ReadonlyMap<string, number>, now: ReadonlyMap<string, number>): readonly string[] {
  return [...now].flatMap(([name, number]) => {
    const old = before.get(name) ?? 0;
    return number > old ? [`${name}: ${number}, not ${old}`] : [];
  });
}

/** An instance lets go of a room half a second after its last subscriber, and of a socket when it hears of its end. */
async function until(complaint: string, left: () => Promise<readonly string[]>): Promise<void> {
  const start = performance.now();
  for (let found = await left(); found.length > 0; found = await left()) {
    if (performance.now() - start > TIMEOUT_MS) throw new Error(`${complaint}: ${found.join('; ')}.`);
    await sleep(POLL_MS);
  }
}
