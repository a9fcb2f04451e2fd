import { randomBytes } from 'node:crypto';
import { createRoom, type Person, page, signUp } from '../../helpers/client.js';
import type { Environment } from '../environment/environment.js';
import type { Instance } from '../environment/instance.js';
import type { Outcome } from '../scenario.js';
import { check, type DeliveryLog } from '../verdict/check.js';
import { maxDeliveryDelay, recoveriesOf } from '../verdict/recovery.js';
import { type Load, type LoadOptions, startLoad } from './load.js';
import { openSubscriber, type Subscriber } from './subscriber.js';

export interface TestRoomOptions {
  /** The subscribers start on these in turn, and reconnect to the next one. */
  readonly instances: readonly Instance[];
  readonly subscribers: number;
  /** The instances that messages are sent to; `instances` by default. */
  readonly sendTo?: readonly Instance[];
}

/** A room with subscribers and senders, whose deliveries are compared with the database. */
export interface TestRoom {
  /** The owner, who is also the sender unless others are given. */
  readonly owner: Person;
  readonly id: string;
  /** Unique in the database. */
  readonly name: string;
  /** The position that the subscribers start after: before the first message. */
  readonly cursor: string;
  readonly subscribers: readonly Subscriber[];
  /** Starts to send. */
  send(options?: Partial<LoadOptions>): Load;
  /** Resolves when every subscriber has received a message: from then on all of them are live. */
  live(): Promise<void>;
  /**
   * Finishes sending, waits for the subscribers, and compares both with the database.
   *
   * @throws Error if a subscriber has given up, or if the room's sequence has a gap or its times are not ascending.
   */
  conclude(ending?: Ending): Promise<Outcome>;
}

export interface Ending {
  /** The times of the faults (of `performance.now()`), for all subscribers. */
  readonly moments?: readonly number[];
  /** Whether each subscriber's own lost sockets count as the faults instead. */
  readonly lostSockets?: boolean;
  /** Deliveries to other clients of the room, which are checked like those to the subscribers. */
  readonly logs?: readonly DeliveryLog[];
  readonly notes?: string;
}

const LIVE_TIMEOUT_MS = 30_000;
const ARRIVAL_TIMEOUT_MS = 60_000;

export async function openTestRoom(environment: Environment, options: TestRoomOptions): Promise<TestRoom> {
  const { instances, sendTo = instances } = options;
  const name = `Room ${randomBytes(6).toString('hex')}`;
  const owner = await signUp(at(sendTo, 0).url);
  const id = await createRoom(owner, name);
  const { liveCursor: cursor } = await page(owner, id);
  const subscribers = Array.from({ length: options.subscribers }, (_, index) =>
    openSubscriber({
      url: (attempt) => at(instances, index + attempt).webSocketUrl,
      token: owner.token,
      roomId: id,
      cursor,
      after: 0,
    }),
  );
  const loads: Load[] = [];

  function send(load: Partial<LoadOptions> = {}): Load {
    const url = (sender: number, failures: number) => at(sendTo, sender + failures).url;
    const started = startLoad({ tokens: [owner.token], roomId: id, url, ...load });
    loads.push(started);
    return started;
  }

  async function arrived(seq: number, timeoutMs: number): Promise<boolean> {
    const arrivals = await Promise.all(subscribers.map((subscriber) => subscriber.reached(seq, timeoutMs)));
    const failures = subscribers.flatMap(({ failure }) => failure ?? []);
    if (failures.length > 0)
      throw new Error(`${failures.length} subscribers gave up, the first one: ${failures[0]}.`);
    return arrivals.every(Boolean);
  }

  return {
    owner,
    id,
    name,
    cursor,
    subscribers,
    send,
    async live() {
      if (!(await arrived(1, LIVE_TIMEOUT_MS))) throw new Error('A subscriber never received a message.');
    },
    async conclude({ moments = [], lostSockets = false, logs = [], notes = '' } = {}) {
      await Promise.all(loads.map((load) => load.finish()));
      await arrived((await environment.rows(name)).length, ARRIVAL_TIMEOUT_MS);
      // A duplicate or late delivery would arrive before this last message.
      await send({ count: 1 }).finish();
      const rows = await environment.rows(name);
      await arrived(rows.length, ARRIVAL_TIMEOUT_MS);
      for (const subscriber of subscribers) subscriber.stop();

      assertAscending(rows.map(({ createdAt }) => createdAt));
      const sent = loads.flatMap((load) => load.sent);
      const acked = sent.flatMap((message) => message.acked ?? []);
      const retries = loads.reduce((sum, load) => sum + load.retries, 0);
      const delay = Math.round(maxDeliveryDelay(subscribers, sent));
      return {
        ...check(rows, acked, [...subscribers, ...logs]),
        sent: sent.length,
        acked: acked.length,
        recoveryMs: subscribers.flatMap(({ seen, losses }) =>
          recoveriesOf(seen, sent, lostSockets ? losses : moments),
        ),
        notes: [notes, `retried attempts: ${retries}`, `latest delivery ${delay} ms after its ack`]
          .filter(Boolean)
          .join('; '),
      };
    },
  };
}

/** The element at an index, which wraps around at the end of the list. */
export function at<T>(list: readonly T[], index: number): T {
  const element = list[index % list.length];
  if (element === undefined) throw new Error('The list is empty.');
  return element;
}

function assertAscending(times: readonly Date[]): void {
  times.forEach((time, index) => {
    const before = times[index - 1];
    if (before && time < before)
      throw new Error(`Message ${index + 1} has an earlier time than the message before it.`);
  });
}
