import { HistoryGapError, roomNotFound } from '../../domain/errors.js';
import type { EpochStore, History } from '../../domain/history.js';
import type { MessageStore } from '../../domain/message/store.js';
import type { Log } from '../../domain/ports.js';
import type { Head } from '../../domain/position.js';
import { type ChangeLog, EMPTY_SNAPSHOT, type RecentChanges } from '../../domain/recent/changes.js';
import type { Feed } from './feed.js';

/** The database remembers changes for twice as long, in ms: see `domain/activity.ts`. */
const MAX_GAP_MS = 30_000;
/** Heads per statement when all are compared. */
const MAX_COMPARED = 2000;
/** Heads that each tick compares, whether or not they have changed: it finds data that was removed by hand. */
const SAMPLE_SIZE = 100;

/** The feeds of an instance, as the tick sees them. */
export interface OpenFeeds {
  /** The feeds that are open at the moment. The iterator goes on if feeds are opened and closed meanwhile. */
  [Symbol.iterator](): Iterator<{ readonly roomId: string; readonly feed: Feed }>;
  /** Reports a head that the database has. The room may have no feed, or one that is being opened. */
  observeHead(roomId: string, head: Head): void;
  /** Ends a room's feed with an error for its readers. */
  reset(roomId: string, error: Error): void;
}

export interface TickServices {
  readonly messages: Pick<MessageStore, 'compareHeads'>;
  readonly changes: Pick<ChangeLog, 'readRecent'>;
  readonly epochs: EpochStore;
  readonly history: History;
  readonly log: Log;
  readonly feeds: OpenFeeds;
  /** Called with what was found. */
  readonly onRecent: (recent: RecentChanges) => void;
}

/** The comparison of all feeds with the database. It finds what the bus has lost, and a change of the epoch. */
export interface Tick {
  /** Compares now, unless a comparison is in progress. Never rejects. */
  run(): Promise<void>;
  /** Switches to another epoch and resets all feeds, unless that has happened since `known` was read. */
  switchEpoch(known: string, epoch: string): void;
  /**
   * Renews the epoch because the database has lost data that was committed before: an older copy has taken its place. All
   * instances notice the new epoch. Only what the database says may lead to it.
   */
  renewEpoch(roomId: string): void;
}

/**
 * Each comparison asks which rooms have changed since the one before, and so costs what has changed, however many rooms are
 * watched. All heads are compared after a failure, after a pause, and if the server was restarted or its tables replaced:
 * the database may have lost data then.
 */
export function createTick(services: TickServices): Tick {
  const { messages, changes, epochs, history, log, feeds, onRecent } = services;
  let isRunning = false;
  let isDatabaseAvailable = true;
  /** What the last comparison has found; null if the next one has to compare all heads. */
  let last: { readonly recent: RecentChanges; readonly at: number } | null = null;
  let sample = feeds[Symbol.iterator]();

  async function run(): Promise<void> {
    if (isRunning) return;
    isRunning = true;
    const before = last;
    last = null;
    try {
      await compare(before);
      if (!isDatabaseAvailable) log.info({}, 'The database is available again');
      isDatabaseAvailable = true;
    } catch (error) {
      if (isDatabaseAvailable)
        log.warn(
          { error: String(error) },
          'The database is unavailable: feeds continue when it is available again',
        );
      isDatabaseAvailable = false;
    } finally {
      isRunning = false;
    }
  }

  /** The epoch is read even if there are no feeds, since the cursors of pages contain it too. */
  async function compare(before: typeof last): Promise<void> {
    const known = history.epoch;
    const at = performance.now();
    const recent = await changes.readRecent(before?.recent.snapshot ?? EMPTY_SNAPSHOT);
    // The next tick finds the new epoch.
    if (recent.isMoved) return epochs.check();
    if (recent.epoch !== known) return switchEpoch(known, recent.epoch);
    for (const [roomId, head] of recent.heads) feeds.observeHead(roomId, head);
    const isKnown =
      before !== null &&
      at - before.at <= MAX_GAP_MS &&
      before.recent.incarnation === recent.incarnation &&
      BigInt(before.recent.oldestRunning) <= BigInt(recent.oldestRunning);
    const isSame = await compareHeads(isKnown ? takeSample() : feeds, known);
    if (!isSame) return;
    last = { recent, at };
    onRecent(recent);
  }

  /** @returns whether the database holds the history that the feeds have delivered. */
  async function compareHeads(
    compared: Iterable<{ readonly roomId: string; readonly feed: Feed }>,
    known: string,
  ): Promise<boolean> {
    const all = [...compared];
    for (let start = 0; start < all.length; start += MAX_COMPARED) {
      // The heads as of before the query: its result does not include events that arrive during it.
      const rooms = all
        .slice(start, start + MAX_COMPARED)
        .map(({ roomId, feed: { head, newestId } }) => ({ roomId, head, newestId }));
      const { epoch, isMoved, heads } = await messages.compareHeads(rooms);
      if (isMoved || epoch !== known) return false;
      for (const { roomId, head } of rooms) {
        const found = heads.get(roomId);
        if (found === null) feeds.reset(roomId, roomNotFound());
        else if (found === 'replaced' || (found && isBehind(found, head))) {
          renewEpoch(roomId);
          return false;
        } else if (found) feeds.observeHead(roomId, found);
      }
    }
    return true;
  }

  function takeSample(): { roomId: string; feed: Feed }[] {
    const taken = [];
    while (taken.length < SAMPLE_SIZE) {
      const { value, done } = sample.next();
      if (done) {
        sample = feeds[Symbol.iterator]();
        break;
      }
      taken.push(value);
    }
    return taken;
  }

  function switchEpoch(known: string, epoch: string): void {
    if (history.epoch !== known) return;
    log.warn({ epoch }, 'The epoch has changed: subscribers are notified and must load their pages again');
    history.epoch = epoch;
    // Includes feeds that were opened during the comparison: they hold the previous history.
    for (const { roomId } of [...feeds]) feeds.reset(roomId, new HistoryGapError('RESET'));
  }

  function renewEpoch(roomId: string): void {
    log.error({ roomId }, 'The database has lost data that it held before: the epoch is renewed');
    epochs
      .renew(history.epoch)
      .then(run)
      .catch((error) =>
        log.warn({ error: String(error) }, 'Could not renew the epoch: the next tick tries again'),
      );
  }

  return { run, switchEpoch, renewEpoch };
}

/** Whether the database has lost data that a feed has seen in it. */
function isBehind(found: Head, seen: Head): boolean {
  return found.rev < seen.rev || found.seq < seen.seq || (found.rev === seen.rev && found.seq !== seen.seq);
}
