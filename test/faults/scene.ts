import { randomBytes } from 'node:crypto';
import { createRoom, type Person, page, signUp } from '../helpers/client.js';
import { check, type ScreenLog } from './check.js';
import type { Instance } from './instance.js';
import type { Lab } from './lab.js';
import { type Load, type LoadOptions, startLoad } from './load.js';
import { recoveriesOf, worstLateness } from './recovery.js';
import type { Outcome } from './scenario.js';
import { openScreen, type Screen } from './watch.js';

export interface SceneOptions {
  /** Screens start on these by turns, and come back to whichever is there. */
  readonly instances: readonly Instance[];
  readonly screens: number;
  /** Where messages are sent; the same by default. */
  readonly sendTo?: readonly Instance[];
}

/** A room, screens that watch it, and somebody who sends. */
export interface Scene {
  readonly person: Person;
  readonly roomId: string;
  /** No other room of the lab has it. */
  readonly roomName: string;
  /** Where the screens began: before the first message. */
  readonly cursor: string;
  readonly screens: readonly Screen[];
  /** Starts to send; by the room's owner, unless other people are given. */
  send(options?: Partial<LoadOptions>): Load;
  /** Resolves when every screen has shown something: from then on all of them are live. */
  live(): Promise<void>;
  /**
   * Finishes all that was sent, waits for the screens, and compares both with the database. A fault's moment (of
   * `performance.now()`) counts for every screen; `lostSockets` takes each screen's own losses for moments instead. `logs`
   * are of others who watched the room, and are judged like the screens.
   *
   * @throws where a screen has given up, or the room's sequence has a hole or goes back in time.
   */
  conclude(ending?: Ending): Promise<Outcome>;
}

export interface Ending {
  readonly moments?: readonly number[];
  readonly lostSockets?: boolean;
  readonly logs?: readonly ScreenLog[];
  readonly notes?: string;
}

const LIVE_TIMEOUT_MS = 30_000;
const ARRIVAL_TIMEOUT_MS = 60_000;

export async function setScene(lab: Lab, options: SceneOptions): Promise<Scene> {
  const { instances, sendTo = instances } = options;
  const roomName = `Room ${randomBytes(6).toString('hex')}`;
  const person = await signUp(at(sendTo, 0).url);
  const roomId = await createRoom(person, roomName);
  const { liveCursor: cursor } = await page(person, roomId);
  const screens = Array.from({ length: options.screens }, (_, index) =>
    openScreen({
      url: (attempt) => at(instances, index + attempt).webSocketUrl,
      token: person.token,
      roomId,
      cursor,
      after: 0,
    }),
  );
  const loads: Load[] = [];

  function send(load: Partial<LoadOptions> = {}): Load {
    const url = (sender: number, failures: number) => at(sendTo, sender + failures).url;
    const started = startLoad({ tokens: [person.token], roomId, url, ...load });
    loads.push(started);
    return started;
  }

  async function arrived(seq: number, timeoutMs: number): Promise<boolean> {
    const arrivals = await Promise.all(screens.map((screen) => screen.reached(seq, timeoutMs)));
    const failures = screens.flatMap(({ failure }) => failure ?? []);
    if (failures.length > 0)
      throw new Error(`${failures.length} screens gave up, the first one: ${failures[0]}.`);
    return arrivals.every(Boolean);
  }

  return {
    person,
    roomId,
    roomName,
    cursor,
    screens,
    send,
    async live() {
      if (!(await arrived(1, LIVE_TIMEOUT_MS))) throw new Error('A screen never showed a message.');
    },
    async conclude({ moments = [], lostSockets = false, logs = [], notes = '' } = {}) {
      await Promise.all(loads.map((load) => load.finish()));
      await arrived((await lab.rows(roomName)).length, ARRIVAL_TIMEOUT_MS);
      // What came twice or late would have come before this one.
      await send({ count: 1 }).finish();
      const rows = await lab.rows(roomName);
      await arrived(rows.length, ARRIVAL_TIMEOUT_MS);
      for (const screen of screens) screen.stop();

      assertForwards(rows.map(({ createdAt }) => createdAt));
      const sent = loads.flatMap((load) => load.sent);
      const acked = sent.flatMap((message) => message.acked ?? []);
      const retries = loads.reduce((sum, load) => sum + load.retries, 0);
      const lateness = Math.round(worstLateness(screens, sent));
      return {
        ...check(rows, acked, [...screens, ...logs]),
        sent: sent.length,
        acked: acked.length,
        recoveryMs: screens.flatMap(({ seen, losses }) =>
          recoveriesOf(seen, sent, lostSockets ? losses : moments),
        ),
        notes: [notes, `${retries} attempts retried`, `latest delivery ${lateness} ms after its ack`]
          .filter(Boolean)
          .join('; '),
      };
    },
  };
}

/** The element at an index that goes round. */
export function at<T>(list: readonly T[], index: number): T {
  const element = list[index % list.length];
  if (element === undefined) throw new Error('The list is empty.');
  return element;
}

function assertForwards(times: readonly Date[]): void {
  times.forEach((time, index) => {
    const before = times[index - 1];
    if (before && time < before) throw new Error(`Message ${index + 1} was made before the one before it.`);
  });
}
