import type { Bus } from '../domain/bus.js';
import { HistoryGapError, roomNotFound } from '../domain/errors.js';
import type { RoomChanged } from '../domain/events.js';
import type { EpochStore, History } from '../domain/history.js';
import type { MessageStore } from '../domain/message-store.js';
import type { Log } from '../domain/ports.js';
import type { Head } from '../domain/position.js';
import { settledWithin } from '../lib/timeout.js';
import { createFeed, type Feed } from './feed.js';

/** How long attaching waits for the bus before it lives on the tick, in ms. */
const SUBSCRIBE_TIMEOUT_MS = 500;
/** How long a feed outlives its last subscriber, in ms: a reconnect finds it warm. */
const LINGER_MS = 500;
/** How often all heads are compared with the database, in ms: the longest that a lost event stays lost. */
const TICK_INTERVAL_MS = 1000;
/** How long nothing of another history was heard, in ms, before the log tells of it again. */
const FOREIGN_LOG_MS = 60_000;

/** Events that a feed which is still opening keeps for later. */
const MAX_EARLY_EVENTS = 100;

interface Entry {
  readonly opening: Promise<Feed | null>;
  /** What was heard while the feed opened. */
  readonly heard: RoomChanged[];
  feed: Feed | null;
  unsubscribe(): void;
  subscribers: number;
  /** One of the subscribers goes. */
  leave(): void;
  linger: NodeJS.Timeout | undefined;
}

/** A subscriber's hold on a feed. */
export class Attachment {
  private isHeld = true;

  constructor(
    readonly feed: Feed,
    private readonly entry: Entry,
  ) {}

  /** Lets go; the last one to do so ends the feed half a second later. */
  release(): void {
    if (this.isHeld) this.entry.leave();
    this.isHeld = false;
  }
}

export interface FeedsServices {
  readonly messages: MessageStore;
  readonly epochs: EpochStore;
  readonly bus: Bus;
  readonly history: History;
  readonly log: Log;
}

/** The feeds of this instance: one for each room that somebody here watches. */
export function createFeeds({ messages, epochs, bus, history, log }: FeedsServices) {
  const entries = new Map<string, Entry>();
  let ticking = false;
  let databaseAway = false;
  /** When the last event of another history made us look, by `performance.now()`. */
  let foreignAt = Number.NEGATIVE_INFINITY;
  const timer = setInterval(tick, TICK_INTERVAL_MS);
  bus.onRecovered(() => void tick());

  /**
   * Compares every feed with the database: whatever the bus lost is found here, a second late at most. The epoch is
   * read also where nobody subscribes, since pages carry it too.
   */
  async function tick(): Promise<void> {
    if (ticking) return;
    ticking = true;
    try {
      await compare();
      if (databaseAway) log.info({}, 'The database answers again');
      databaseAway = false;
    } catch (error) {
      if (!databaseAway)
        log.warn({ error: String(error) }, 'The database does not answer: feeds wait for it');
      databaseAway = true;
    } finally {
      ticking = false;
    }
  }

  async function compare(): Promise<void> {
    const known = history.epoch;
    // As they stand before the question: what comes meanwhile is not in the answer.
    const asked = [...entries].flatMap(([roomId, { feed }]) =>
      feed ? [{ roomId, feed, head: feed.head }] : [],
    );
    const { epoch, isMoved, heads } = await messages.readHeads(
      asked.map(({ roomId, head }) => ({ roomId, head })),
    );
    // The next tick finds the new epoch.
    if (isMoved) return epochs.check();
    if (epoch !== known) return adopt(known, epoch);
    for (const { roomId, feed, head } of asked) {
      feed.forgetOld();
      const found = heads.get(roomId);
      if (found === null) reset(roomId, roomNotFound());
      else if (found && isBehind(found, head)) return onContradiction(roomId);
      else if (found) feed.reach(found);
    }
  }

  /** Goes over to another history, unless that was done since the epoch was asked for. */
  function adopt(known: string, epoch: string): void {
    if (history.epoch !== known) return;
    log.warn({ epoch }, 'The database holds another history: subscribers are told to start again');
    history.epoch = epoch;
    // All feeds, also those that opened meanwhile: what they hold is of the history before.
    for (const [roomId, { feed }] of [...entries]) if (feed) reset(roomId, new HistoryGapError('RESET'));
  }

  /** What was committed once is gone: an older copy of the database is in its place. A new epoch tells everyone. */
  function onContradiction(roomId: string): void {
    log.error({ roomId }, 'The database has lost what it held before: it is taken for another history');
    epochs
      .renew(history.epoch)
      .then(tick)
      .catch((error) => log.warn({ error: String(error) }, 'The next tick tries to make a new epoch'));
  }

  function reset(roomId: string, error: Error): void {
    entries.get(roomId)?.feed?.fail(error);
    end(roomId);
  }

  function hear(change: RoomChanged): void {
    const entry = entries.get(change.roomId);
    if (change.epoch !== history.epoch) hearForeign();
    else if (entry?.feed) entry.feed.apply(change);
    else if (entry && entry.heard.length < MAX_EARLY_EVENTS) entry.heard.push(change);
  }

  /** Somebody knows of another history already, or is of another deployment, whose traffic must cost us little. */
  function hearForeign(): void {
    bus.counters.foreignEvents += 1;
    if (performance.now() - foreignAt < TICK_INTERVAL_MS) return;
    if (performance.now() - foreignAt > FOREIGN_LOG_MS)
      log.warn(
        {},
        'Events of another history are on the bus: of a restored database, or of another deployment',
      );
    foreignAt = performance.now();
    void tick();
  }

  function open(roomId: string): Entry {
    const subscription = bus.subscribe(roomId, hear);
    const entry: Entry = {
      opening: start(),
      heard: [],
      feed: null,
      unsubscribe: subscription.unsubscribe,
      subscribers: 0,
      leave() {
        entry.subscribers -= 1;
        if (entry.subscribers > 0 || entries.get(roomId) !== entry) return;
        entry.linger = setTimeout(() => end(roomId), LINGER_MS);
      },
      linger: undefined,
    };
    entries.set(roomId, entry);
    return entry;

    async function start(): Promise<Feed | null> {
      await settledWithin(subscription.confirmed, SUBSCRIBE_TIMEOUT_MS);
      // Read after the subscription stands: what is published from here on is heard, what came before is in the head.
      const head = await readHead(roomId);
      if (!head) return null;
      const feed = createFeed(roomId, head, {
        messages,
        log,
        onContradiction: () => onContradiction(roomId),
      });
      entry.feed = feed;
      for (const change of entry.heard.splice(0)) if (change.epoch === history.epoch) feed.apply(change);
      if (entries.get(roomId) !== entry) feed.close();
      return feed;
    }
  }

  /** Of the history that this instance knows of then. */
  async function readHead(roomId: string): Promise<Head | null> {
    for (;;) {
      const known = history.epoch;
      const { epoch, head } = await messages.readHead(roomId);
      if (epoch === history.epoch) return head;
      adopt(known, epoch);
    }
  }

  function end(roomId: string): void {
    const entry = entries.get(roomId);
    if (!entry) return;
    entries.delete(roomId);
    clearTimeout(entry.linger);
    entry.unsubscribe();
    entry.feed?.close();
  }

  return {
    /** Takes hold of a room's feed and opens it where nobody here watched the room; null where there is no such room. */
    async attach(roomId: string): Promise<Attachment | null> {
      const entry = entries.get(roomId) ?? open(roomId);
      entry.subscribers += 1;
      clearTimeout(entry.linger);
      try {
        const feed = await entry.opening;
        if (feed) return new Attachment(feed, entry);
        if (entries.get(roomId) === entry) end(roomId);
        return null;
      } catch (error) {
        if (entries.get(roomId) === entry) end(roomId);
        throw error;
      }
    },

    /** Delivers what this instance has just committed: to its own subscribers at once, and to the other instances. */
    deliver(change: RoomChanged): void {
      hear(change);
      bus.publish(change);
    },

    /** How many rooms are watched here; for tests and metrics. */
    get size() {
      return entries.size;
    },

    close(): void {
      clearInterval(timer);
      for (const roomId of [...entries.keys()]) end(roomId);
    },
  };
}

export type Feeds = ReturnType<typeof createFeeds>;

/** Whether the database has lost what a feed has seen in it. */
function isBehind(found: Head, seen: Head): boolean {
  return found.rev < seen.rev || found.seq < seen.seq || (found.rev === seen.rev && found.seq !== seen.seq);
}
