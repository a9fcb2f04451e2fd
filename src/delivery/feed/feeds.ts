import type { Bus } from '../../domain/bus.js';
import { createDeliveryCounters, type DeliveryCounters } from '../../domain/counters.js';
import { type BusEvent, isHint, type RoomChanged } from '../../domain/events.js';
import type { EpochStore, History } from '../../domain/history.js';
import type { MessageStore, NamedHead } from '../../domain/message/store.js';
import { createMissWatch } from '../../domain/misses.js';
import type { Log } from '../../domain/ports.js';
import type { Head } from '../../domain/position.js';
import type { ChangeLog, RecentChanges } from '../../domain/recent/changes.js';
import { settledWithin } from '../../lib/timeout.js';
import { createDoubts } from './doubts.js';
import { createFeed, type Feed } from './feed.js';
import { createHeadReader } from './head-reader.js';
import { createRepairs } from './repairs.js';
import { createRingBudget } from './ring-budget.js';
import { createTick, type OpenFeeds } from './tick.js';

/** Maximum wait of a new feed for its bus subscription, in ms. After it, the feed relies on the tick. */
const SUBSCRIBE_TIMEOUT_MS = 500;
/** Time for which a feed outlives its last subscriber, in ms, so that a client that reconnects finds it open. */
const FEED_IDLE_TIMEOUT_MS = 500;
/** Interval of the comparison with the database while the bus is not ready, in ms. */
const TICK_INTERVAL_MS = 250;
/** While the bus is ready, one tick in this many compares: an event that is lost is a second late at most. */
const TICKS_PER_COMPARISON = 4;
/** Interval at which old events are evicted, in ms. */
const EVICTION_INTERVAL_MS = 5000;
/** Maximum number of changes that are buffered while a feed opens. */
const MAX_BUFFERED_CHANGES = 100;

/** A room's feed with its subscribers, from before the feed is open. */
interface Entry {
  /** Resolves to null if the room does not exist. */
  readonly opening: Promise<Feed | null>;
  /** Changes that were received while the feed opens. */
  readonly buffered: RoomChanged[];
  /** Null until the feed is open. */
  feed: Feed | null;
  /** A head that the tick has found while the feed opens. */
  observed: Head | null;
  unsubscribe(): void;
  subscribers: number;
  /** Removes one subscriber. */
  leave(): void;
  idleTimer: NodeJS.Timeout | undefined;
}

/** A subscriber's hold on a feed, which keeps the feed open. */
export class Attachment {
  private isHeld = true;

  constructor(
    readonly feed: Feed,
    private readonly entry: Entry,
  ) {}

  /** Releases the feed. It is closed half a second after its last subscriber has released it. Idempotent. */
  release(): void {
    if (this.isHeld) this.entry.leave();
    this.isHeld = false;
  }
}

export interface FeedsServices {
  readonly messages: MessageStore;
  readonly changes: Pick<ChangeLog, 'readRecent'>;
  readonly epochs: EpochStore;
  readonly bus: Bus;
  readonly history: History;
  readonly log: Log;
  readonly counters?: DeliveryCounters;
  /** Called with what each tick has found. */
  readonly onRecent?: (recent: RecentChanges) => void;
}

/** Creates the feeds of this instance: one for each room that has subscribers here. */
export function createFeeds({
  messages,
  changes,
  epochs,
  bus,
  history,
  log,
  counters = createDeliveryCounters(),
  onRecent = () => {},
}: FeedsServices) {
  const entries = new Map<string, Entry>();
  const misses = createMissWatch(bus, log);
  const readHead = createHeadReader(messages);
  const readMissing = createRepairs(messages);
  const ringBudget = createRingBudget();
  const openFeeds: OpenFeeds = {
    *[Symbol.iterator]() {
      for (const [roomId, { feed }] of entries) if (feed) yield { roomId, feed };
    },
    observeHead(roomId, head) {
      const entry = entries.get(roomId);
      if (entry?.feed) entry.feed.observeHead(head, 'tick');
      else if (entry) entry.observed = head;
    },
    reset(roomId, error) {
      entries.get(roomId)?.feed?.fail(error);
      end(roomId);
    },
  };
  const tick = createTick({ messages, changes, epochs, history, log, feeds: openFeeds, onRecent });
  const doubts = createDoubts({ messages, readHead, history, bus, tick, log });
  let ticks = 0;
  const timers = [
    setInterval(() => {
      ticks += 1;
      if (ticks % TICKS_PER_COMPARISON === 0 || !bus.isReady()) void tick.run();
    }, TICK_INTERVAL_MS),
    setInterval(evictOld, EVICTION_INTERVAL_MS),
  ];
  bus.onRecovered(() => void tick.run());

  function evictOld(): void {
    for (const { feed } of openFeeds) feed.evictOld();
  }

  function receive(event: BusEvent): void {
    if (isHint(event)) receiveHint(event.roomId);
    else receiveChange(event);
  }

  function receiveHint(roomId: string): void {
    const feed = entries.get(roomId)?.feed;
    if (feed) void doubts.receiveHint(roomId, feed);
  }

  function receiveChange(change: RoomChanged): void {
    const entry = entries.get(change.roomId);
    if (change.epoch !== history.epoch) doubts.receiveForeign();
    else if (entry?.feed) entry.feed.apply(change);
    else if (entry && entry.buffered.length < MAX_BUFFERED_CHANGES) entry.buffered.push(change);
  }

  function open(roomId: string): Entry {
    const subscription = bus.subscribe(roomId, receive);
    const entry: Entry = {
      opening: start(),
      buffered: [],
      feed: null,
      observed: null,
      unsubscribe: subscription.unsubscribe,
      subscribers: 0,
      leave() {
        entry.subscribers -= 1;
        if (entry.subscribers > 0 || entries.get(roomId) !== entry) return;
        entry.idleTimer = setTimeout(() => end(roomId), FEED_IDLE_TIMEOUT_MS);
      },
      idleTimer: undefined,
    };
    entries.set(roomId, entry);
    return entry;

    async function start(): Promise<Feed | null> {
      await settledWithin(subscription.confirmed, SUBSCRIBE_TIMEOUT_MS);
      // Read once the subscription is in place: the head includes everything that was published before, and everything
      // published later is received.
      const start = await readCurrentHead(roomId);
      if (!start) return null;
      const feed: Feed = createFeed(roomId, start, {
        readMissing,
        ringBudget,
        log,
        counters,
        onMissed: misses.report,
        onContradiction: (message) => void doubts.receiveContradiction(message, feed),
      });
      entry.feed = feed;
      for (const change of entry.buffered.splice(0)) if (change.epoch === history.epoch) feed.apply(change);
      if (entry.observed) feed.observeHead(entry.observed);
      if (entries.get(roomId) !== entry) feed.close();
      return feed;
    }
  }

  /** Reads a room's head, and switches the epoch if the database has another one. */
  async function readCurrentHead(roomId: string): Promise<NamedHead | null> {
    for (;;) {
      const known = history.epoch;
      const { epoch, found } = await readHead(roomId);
      if (epoch === history.epoch) return found;
      tick.switchEpoch(known, epoch);
    }
  }

  function end(roomId: string): void {
    const entry = entries.get(roomId);
    if (!entry) return;
    entries.delete(roomId);
    clearTimeout(entry.idleTimer);
    entry.unsubscribe();
    entry.feed?.close();
  }

  return {
    /** Attaches to a room's feed, and opens it if it is not open yet. Null if the room does not exist. */
    async attach(roomId: string): Promise<Attachment | null> {
      const entry = entries.get(roomId) ?? open(roomId);
      entry.subscribers += 1;
      clearTimeout(entry.idleTimer);
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

    /** Publishes a change that this instance has committed: to its own feed at once, and to the other instances. */
    publish(change: RoomChanged): void {
      receiveChange(change);
      bus.publish(change);
    },

    /** Number of rooms with subscribers on this instance; for tests and metrics. */
    get size() {
      return entries.size;
    },

    /** Size of the messages in all rings, in bytes. */
    get ringBytes() {
      return ringBudget.bytes;
    },

    close(): void {
      for (const timer of timers) clearInterval(timer);
      for (const roomId of [...entries.keys()]) end(roomId);
    },
  };
}

export type Feeds = ReturnType<typeof createFeeds>;
