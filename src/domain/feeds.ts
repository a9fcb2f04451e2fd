import { HistoryGapError } from './errors.js';
import type { RoomChanged } from './events.js';
import { createFeed, type Feed } from './feed.js';
import type { History } from './message.js';
import type { Bus, EpochStore, Log, MessageStore } from './ports.js';

/** How long attaching waits for the bus before it lives on the tick, in ms. */
const SUBSCRIBE_WAIT_MS = 500;
/** How long a feed outlives its last subscriber, in ms: a reconnect finds it warm. */
const LINGER_MS = 500;
/** How often all heads are compared with the database, in ms: the longest that a lost event stays lost. */
const TICK_MS = 1000;

/** Events that a feed which is still opening keeps for later. */
const MOST_EARLY_EVENTS = 100;

interface Entry {
  readonly opening: Promise<Feed | null>;
  /** What was heard while the feed opened. */
  readonly heard: RoomChanged[];
  feed: Feed | null;
  unsubscribe(): void;
  subscribers: number;
  linger: NodeJS.Timeout | undefined;
}

/** A subscriber's hold on a feed. */
export interface Attachment {
  readonly feed: Feed;
  /** Lets go; the last one to do so ends the feed half a second later. */
  release(): void;
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
  const timer = setInterval(tick, TICK_MS);
  bus.onRecovered(() => void tick());

  /**
   * Compares every feed with the database: whatever the bus lost is found here, a second late at most. The epoch is
   * read also where nobody subscribes, since pages carry it too.
   */
  async function tick(): Promise<void> {
    if (ticking) return;
    ticking = true;
    try {
      // As they stand before the question: what comes meanwhile is not in the answer.
      const asked = [...entries].flatMap(([roomId, { feed }]) =>
        feed ? [{ roomId, feed, head: feed.head }] : [],
      );
      // It may be another database that comes back.
      if (databaseAway) await epochs.check();
      const { epoch, heads } = await messages.readHeads(asked.map(({ roomId }) => roomId));
      if (databaseAway) log.info({}, 'The database answers again');
      databaseAway = false;
      if (epoch !== history.epoch) {
        log.warn({ epoch }, 'The database holds another history: subscribers are told to start again');
        history.epoch = epoch;
        for (const { roomId, feed } of asked) reset(roomId, feed);
        return;
      }
      for (const { roomId, feed, head } of asked) {
        const found = heads.get(roomId);
        if (!found) reset(roomId, feed);
        else if (found.rev < head.rev) return onContradiction(roomId);
        else feed.reach(found);
      }
    } catch (error) {
      if (!databaseAway)
        log.warn({ error: String(error) }, 'The database does not answer: feeds wait for it');
      databaseAway = true;
    } finally {
      ticking = false;
    }
  }

  /** What was committed once is gone: an older copy of the database is in its place. A new epoch tells everyone. */
  function onContradiction(roomId: string): void {
    log.error({ roomId }, 'The database has lost what it held before: it is taken for another history');
    epochs
      .renew(history.epoch)
      .then(tick)
      .catch((error) => log.warn({ error: String(error) }, 'The next tick tries to make a new epoch'));
  }

  function reset(roomId: string, feed: Feed): void {
    if (entries.get(roomId)?.feed !== feed) return;
    feed.fail(new HistoryGapError('RESET'));
    end(roomId);
  }

  function hear(change: RoomChanged): void {
    // Somebody knows of another history already.
    if (change.epoch !== history.epoch) return void tick();
    const entry = entries.get(change.roomId);
    if (entry?.feed) entry.feed.apply(change);
    else if (entry && entry.heard.length < MOST_EARLY_EVENTS) entry.heard.push(change);
  }

  function open(roomId: string): Entry {
    const subscription = bus.subscribe(roomId, hear);
    const entry: Entry = {
      opening: start(),
      heard: [],
      feed: null,
      unsubscribe: subscription.unsubscribe,
      subscribers: 0,
      linger: undefined,
    };
    entries.set(roomId, entry);
    return entry;

    async function start(): Promise<Feed | null> {
      await settledWithin(subscription.confirmed, SUBSCRIBE_WAIT_MS);
      // Read after the subscription stands: what is published from here on is heard, what came before is in the head.
      const head = (await messages.readHeads([roomId])).heads.get(roomId);
      if (!head) return null;
      const feed = createFeed(roomId, head, {
        messages,
        log,
        onContradiction: () => onContradiction(roomId),
      });
      entry.feed = feed;
      for (const change of entry.heard.splice(0)) feed.apply(change);
      if (entries.get(roomId) !== entry) feed.close();
      return feed;
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
      const release = once(() => {
        entry.subscribers -= 1;
        if (entry.subscribers > 0 || entries.get(roomId) !== entry) return;
        entry.linger = setTimeout(() => end(roomId), LINGER_MS);
      });
      try {
        const feed = await entry.opening;
        if (feed) return { feed, release };
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

function once(action: () => void): () => void {
  let done = false;
  return () => {
    if (done) return;
    done = true;
    action();
  };
}

async function settledWithin(promise: Promise<void>, milliseconds: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, milliseconds);
  });
  await Promise.race([promise.catch(() => {}), timeout]);
  clearTimeout(timer);
}
