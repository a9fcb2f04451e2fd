import type { Bus } from '../../domain/bus.js';
import { createDeliveryCounters, type DeliveryCounters } from '../../domain/counters.js';
import { type BusEvent, isHint, type RoomChanged } from '../../domain/events.js';
import type { EpochStore, History } from '../../domain/history.js';
import type { Message } from '../../domain/message/message.js';
import type { MessageStore } from '../../domain/message/store.js';
import { createMissWatch } from '../../domain/misses.js';
import type { Log } from '../../domain/ports.js';
import type { Head } from '../../domain/position.js';
import { settledWithin } from '../../lib/timeout.js';
import { createFeed, type Feed } from './feed.js';
import { createTick } from './tick.js';

/** Maximum wait of a new feed for its bus subscription, in ms. After it, the feed relies on the tick. */
const SUBSCRIBE_TIMEOUT_MS = 500;
/** Time for which a feed outlives its last subscriber, in ms, so that a client that reconnects finds it open. */
const FEED_IDLE_TIMEOUT_MS = 500;
/** Interval at which all heads are compared with the database, in ms: the maximum delay of a lost event. */
const TICK_INTERVAL_MS = 1000;
/** Time without events of another epoch after which the log reports them again, in ms. */
const FOREIGN_LOG_INTERVAL_MS = 60_000;
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
  unsubscribe(): void;
  subscribers: number;
  /** When hints and contradictions last caused a look at the database, by `performance.now()`. */
  observedAt: number;
  resolvedAt: number;
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
  readonly epochs: EpochStore;
  readonly bus: Bus;
  readonly history: History;
  readonly log: Log;
  readonly counters?: DeliveryCounters;
}

/** Creates the feeds of this instance: one for each room that has subscribers here. */
export function createFeeds({
  messages,
  epochs,
  bus,
  history,
  log,
  counters = createDeliveryCounters(),
}: FeedsServices) {
  const entries = new Map<string, Entry>();
  const misses = createMissWatch(bus, log);
  /** When an event of another epoch last caused a tick, by `performance.now()`. */
  let foreignAt = Number.NEGATIVE_INFINITY;
  const tick = createTick({ messages, epochs, history, log, openFeeds, reset });
  const timer = setInterval(tick.run, TICK_INTERVAL_MS);
  bus.onRecovered(() => void tick.run());

  function openFeeds(): { roomId: string; feed: Feed }[] {
    return [...entries].flatMap(([roomId, { feed }]) => (feed ? [{ roomId, feed }] : []));
  }

  function reset(roomId: string, error: Error): void {
    entries.get(roomId)?.feed?.fail(error);
    end(roomId);
  }

  function receive(event: BusEvent): void {
    if (isHint(event)) void observe(event.roomId);
    else receiveChange(event);
  }

  function receiveChange(change: RoomChanged): void {
    const entry = entries.get(change.roomId);
    if (change.epoch !== history.epoch) receiveForeign();
    else if (entry?.feed) entry.feed.apply(change);
    else if (entry && entry.buffered.length < MAX_BUFFERED_CHANGES) entry.buffered.push(change);
  }

  /** Looks at the head of a room that may have changed, at most once per second: the tick finds the rest. */
  async function observe(roomId: string): Promise<void> {
    const entry = entries.get(roomId);
    if (!entry?.feed || performance.now() - entry.observedAt < TICK_INTERVAL_MS) return;
    entry.observedAt = performance.now();
    try {
      const { epoch, head } = await messages.readHead(roomId);
      if (epoch === history.epoch && head) entry.feed.observeHead(head);
    } catch (error) {
      log.debug({ roomId, error: String(error) }, 'Could not look at a room: the tick does');
    }
  }

  /**
   * A message claims the place of one that was delivered here. The database decides: if it holds that message, it has lost
   * the delivered one; otherwise the event is of a copy of the database, and is ignored. It is asked at most once per second,
   * and hints, which anyone can send, do not count.
   */
  async function resolve(roomId: string, { seq, id }: Message): Promise<void> {
    const entry = entries.get(roomId);
    if (!entry?.feed || performance.now() - entry.resolvedAt < TICK_INTERVAL_MS) return;
    entry.resolvedAt = performance.now();
    try {
      const stored = await messages.findId(roomId, seq);
      if (stored === id) tick.renewEpoch(roomId);
      else receiveForeign();
    } catch (error) {
      log.warn({ roomId, error: String(error) }, 'Could not compare a message with the database');
    }
  }

  /**
   * Another instance knows a new epoch already, so the tick runs early. Or the event is of another deployment, whose traffic
   * must cost little, so that happens once per interval at most.
   */
  function receiveForeign(): void {
    bus.counters.foreignEvents += 1;
    if (performance.now() - foreignAt < TICK_INTERVAL_MS) return;
    if (performance.now() - foreignAt > FOREIGN_LOG_INTERVAL_MS)
      log.warn(
        {},
        'Received events of another history: the database was restored, or another deployment uses the same REDIS_PREFIX',
      );
    foreignAt = performance.now();
    void tick.run();
  }

  function open(roomId: string): Entry {
    const subscription = bus.subscribe(roomId, receive);
    const entry: Entry = {
      opening: start(),
      buffered: [],
      feed: null,
      unsubscribe: subscription.unsubscribe,
      subscribers: 0,
      observedAt: Number.NEGATIVE_INFINITY,
      resolvedAt: Number.NEGATIVE_INFINITY,
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
      const head = await readHead(roomId);
      if (!head) return null;
      const feed = createFeed(roomId, head, {
        messages,
        log,
        counters,
        onMissed: misses.report,
        onContradiction: (message) => void resolve(roomId, message),
      });
      entry.feed = feed;
      for (const change of entry.buffered.splice(0)) if (change.epoch === history.epoch) feed.apply(change);
      if (entries.get(roomId) !== entry) feed.close();
      return feed;
    }
  }

  /** Reads a room's head, and switches the epoch if the database has another one. */
  async function readHead(roomId: string): Promise<Head | null> {
    for (;;) {
      const known = history.epoch;
      const { epoch, head } = await messages.readHead(roomId);
      if (epoch === history.epoch) return head;
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

    close(): void {
      clearInterval(timer);
      for (const roomId of [...entries.keys()]) end(roomId);
    },
  };
}

export type Feeds = ReturnType<typeof createFeeds>;
