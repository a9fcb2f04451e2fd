import { setTimeout as sleep } from 'node:timers/promises';
import { at as asAt, joinRoom, signUp } from '../../helpers/client.js';
import type { Placed, ScreenLog } from '../check.js';
import { type Operations, openOperations } from '../operations.js';
import type { Scenario } from '../scenario.js';
import { at, type Scene, setScene } from '../scene.js';

/** A place in the room to begin after. */
interface Place {
  readonly seq: number;
  readonly cursor: string;
}

interface Delivery {
  readonly messageAdded: { readonly cursor: string; readonly node: Placed };
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

/** Longer than from one message to the next, in ms: so every moment around one is met. */
const SPREAD_MS = 20;
/** How many messages a joiner stays for, at most. */
const MAX_MESSAGES = 5;
/** Cursors of so many messages are kept, for others to begin with. */
const RECENT = 200;
const TIMEOUT_MS = 10_000;
/** Few enough that messages keep coming at their pace. */
const JOINERS_PER_SOCKET = 6;
const NEWCOMERS_PAUSE_MS = 100;

/** Nothing breaks. Joiners come and go on a few sockets, on the senders' instances; each has a log that is judged. */
export const joins: Scenario = {
  name: 'joins',
  title: '10,000 joins at every moment around a publish',
  keepsInstances: true,
  async run(lab, scale) {
    const [count, sockets] = scale === 'full' ? [10_000, 6] : [400, 4];
    const instances = await lab.startAll(2);
    const scene = await setScene(lab, { instances, screens: 4 });
    const load = scene.send({ inFlight: 4, pauseMs: 8 });
    await scene.live();
    const recent: Place[] = [{ seq: 0, cursor: scene.cursor }];
    const logs: ScreenLog[] = [];
    let begun = 0;
    const start = performance.now();

    const joining = Array.from({ length: sockets }, async (_, index) => {
      const operations = await openOperations(at(instances, index).webSocketUrl, scene.person.token);
      const join = async (): Promise<void> => {
        while (begun < count) {
          begun += 1;
          logs.push(await joinOnce(operations, scene, recent));
        }
      };
      await Promise.all(Array.from({ length: JOINERS_PER_SOCKET }, join));
      operations.destroy();
    });

    // Somebody becomes a member by the one instance, and watches by the other at once: their coming is a message, too.
    let newcomers = 0;
    const coming = (async () => {
      while (begun < count) {
        const [near, far] = [at(instances, newcomers), at(instances, newcomers + 1)];
        const person = await signUp(near.url);
        const operations = await openOperations(far.webSocketUrl, person.token);
        await joinRoom(asAt(near.url, person), scene.roomId);
        logs.push(await joinOnce(operations, scene, recent));
        operations.destroy();
        newcomers += 1;
        await sleep(NEWCOMERS_PAUSE_MS);
      }
    })();
    await Promise.all([...joining, coming]);
    const interval = (performance.now() - start) / load.sent.length;
    const notes = `${logs.length} joins, among them ${newcomers} by new members; a message every ${interval.toFixed(1)} ms`;
    return scene.conclude({ logs, notes });
  },
};

/** Begins after a page that was just read, or a cursor that somebody was given; stays for some messages; leaves. */
async function joinOnce(
  operations: Operations,
  { roomId }: Pick<Scene, 'roomId'>,
  recent: Place[],
): Promise<ScreenLog> {
  await sleep(Math.random() * SPREAD_MS);
  const place = Math.random() < 0.5 ? await pageEnd(operations, roomId) : knownPlace(recent);
  if (Math.random() < 0.5) await sleep(Math.random() * SPREAD_MS);
  const after = place.seq;
  const upTo = after + 1 + Math.floor(Math.random() * MAX_MESSAGES);
  const seen: Placed[] = [];
  await new Promise<void>((resolve, reject) => {
    const leave = (): void => {
      clearTimeout(timer);
      complete();
      resolve();
    };
    // Who has not seen all by then is judged by what they saw.
    const timer = setTimeout(() => leave(), TIMEOUT_MS);
    const complete = operations.start<Delivery>(
      JOIN,
      { roomId, after: place.cursor },
      {
        next({ messageAdded: { cursor, node } }) {
          seen.push(node);
          recent.push({ seq: node.seq, cursor });
          if (recent.length > RECENT) recent.splice(0, RECENT / 2);
          if (node.seq >= upTo) leave();
        },
        ended(errors) {
          clearTimeout(timer);
          reject(new Error(`A joiner was sent away: ${JSON.stringify(errors)}`));
        },
      },
    );
  });
  return { after, upTo, seen };
}

async function pageEnd(operations: Operations, roomId: string): Promise<Place> {
  const { roomMessages } = await operations.request<Page>(PAGE, { roomId });
  return { seq: roomMessages.edges[0]?.node.seq ?? 0, cursor: roomMessages.liveCursor };
}

/** The newest, which the other instance may not have heard of yet, or any other. */
function knownPlace(recent: readonly Place[]): Place {
  const back = Math.random() < 0.5 ? 0 : Math.floor(Math.random() * recent.length);
  return at(recent, recent.length - 1 - back);
}
