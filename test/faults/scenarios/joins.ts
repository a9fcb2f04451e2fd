import { setTimeout as sleep } from 'node:timers/promises';
import { at as asAt, joinRoom, signUp } from '../../helpers/client.js';
import { type Operations, openOperations } from '../clients/operations.js';
import { at, openTestRoom, type TestRoom } from '../clients/test-room.js';
import type { Scenario } from '../scenario.js';
import type { DeliveryLog, MessageRef } from '../verdict/check.js';

/** A position in the room to start after. */
interface StartPosition {
  readonly seq: number;
  readonly cursor: string;
}

interface Delivery {
  readonly messageAdded: { readonly cursor: string; readonly node: MessageRef };
}

interface Page {
  readonly roomMessages: {
    readonly edges: readonly { readonly node: { readonly seq: number } }[];
    readonly liveCursor: string;
  };
}

const PAGE = `query ($roomId: ID!) {
  roomMessages(roomId: $roomId, last: 1) { edges { node { seq } } liveCursor }
}`;
const JOIN = `subscription ($roomId: ID!, $after: String) {
  messageAdded(roomId: $roomId, after: $after) { cursor node { seq clientMessageId } }
}`;

/** Longer than the interval between two messages, so that subscriptions start at every moment around one. */
const SPREAD_MS = 20;
/** The maximum number of messages that a joiner stays for. */
const MAX_MESSAGES = 5;
/** The number of recent cursors that are kept for others to start after. */
const MAX_RECENT = 200;
const TIMEOUT_MS = 10_000;
/** Few enough that they do not slow down the senders. */
const JOINERS_PER_SOCKET = 6;
const NEW_MEMBER_INTERVAL_MS = 100;

/**
 * Without a fault. Joiners subscribe and leave on a few sockets, on the same instances as the senders; the deliveries to each
 * one are checked.
 */
export const joins: Scenario = {
  name: 'joins',
  title: '10,000 joins at every moment around a publish',
  keepsInstances: true,
  async run(environment, scale) {
    const [count, sockets] = scale === 'full' ? [10_000, 6] : [400, 4];
    const instances = await environment.startAll(2);
    const room = await openTestRoom(environment, { instances, subscribers: 4 });
    const load = room.send({ inFlight: 4, pauseMs: 8 });
    await room.live();
    const recent: StartPosition[] = [{ seq: 0, cursor: room.cursor }];
    const logs: DeliveryLog[] = [];
    let begun = 0;
    const start = performance.now();

    const joining = Array.from({ length: sockets }, async (_, index) => {
      const operations = await openOperations(at(instances, index).webSocketUrl, room.owner.token);
      const join = async (): Promise<void> => {
        while (begun < count) {
          begun += 1;
          logs.push(await joinOnce(operations, room, recent));
        }
      };
      await Promise.all(Array.from({ length: JOINERS_PER_SOCKET }, join));
      operations.destroy();
    });

    // New members join on one instance and subscribe on the other at once; each join is a message, too.
    let newMembers = 0;
    const joiningMembers = (async () => {
      while (begun < count) {
        const [here, there] = [at(instances, newMembers), at(instances, newMembers + 1)];
        const person = await signUp(here.url);
        const operations = await openOperations(there.webSocketUrl, person.token);
        await joinRoom(asAt(here.url, person), room.id);
        logs.push(await joinOnce(operations, room, recent));
        operations.destroy();
        newMembers += 1;
        await sleep(NEW_MEMBER_INTERVAL_MS);
      }
    })();
    await Promise.all([...joining, joiningMembers]);
    const interval = (performance.now() - start) / load.sent.length;
    const notes = `${logs.length} joins, among them ${newMembers} by new members; a message every ${interval.toFixed(1)} ms`;
    return room.conclude({ logs, notes });
  },
};

/** Subscribes after a page that was just read, or after a cursor of another joiner; receives some messages; leaves. */
async function joinOnce(
  operations: Operations,
  { id: roomId }: Pick<TestRoom, 'id'>,
  recent: StartPosition[],
): Promise<DeliveryLog> {
  await sleep(Math.random() * SPREAD_MS);
  const start = Math.random() < 0.5 ? await pageEnd(operations, roomId) : recentPosition(recent);
  if (Math.random() < 0.5) await sleep(Math.random() * SPREAD_MS);
  const after = start.seq;
  const upTo = after + 1 + Math.floor(Math.random() * MAX_MESSAGES);
  const seen: MessageRef[] = [];
  await new Promise<void>((resolve, reject) => {
    const leave = (): void => {
      clearTimeout(timer);
      complete();
      resolve();
    };
    // After the timeout, the deliveries so far are checked.
    const timer = setTimeout(() => leave(), TIMEOUT_MS);
    const complete = operations.start<Delivery>(
      JOIN,
      { roomId, after: start.cursor },
      {
        next({ messageAdded: { cursor, node } }) {
          seen.push(node);
          recent.push({ seq: node.seq, cursor });
          if (recent.length > MAX_RECENT) recent.splice(0, MAX_RECENT / 2);
          if (node.seq >= upTo) leave();
        },
        ended(errors) {
          clearTimeout(timer);
          reject(new Error(`A joiner's subscription ended: ${JSON.stringify(errors)}`));
        },
      },
    );
  });
  return { after, upTo, seen };
}

async function pageEnd(operations: Operations, roomId: string): Promise<StartPosition> {
  const { roomMessages } = await operations.request<Page>(PAGE, { roomId });
  return { seq: roomMessages.edges[0]?.node.seq ?? 0, cursor: roomMessages.liveCursor };
}

/** The newest position, which the other instance may not have reached yet, or any other. */
function recentPosition(recent: readonly StartPosition[]): StartPosition {
  const back = Math.random() < 0.5 ? 0 : Math.floor(Math.random() * recent.length);
  return at(recent, recent.length - 1 - back);
}
