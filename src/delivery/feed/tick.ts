import { HistoryGapError, roomNotFound } from '../../domain/errors.js';
import type { EpochStore, History } from '../../domain/history.js';
import type { MessageStore } from '../../domain/message/store.js';
import type { Log } from '../../domain/ports.js';
import type { Head } from '../../domain/position.js';
import type { Feed } from './feed.js';

export interface TickServices {
  readonly messages: Pick<MessageStore, 'compareHeads'>;
  readonly epochs: EpochStore;
  readonly history: History;
  readonly log: Log;
  /** The feeds that are open at the moment. */
  readonly openFeeds: () => { readonly roomId: string; readonly feed: Feed }[];
  /** Ends a room's feed with an error for its readers. */
  readonly reset: (roomId: string, error: Error) => void;
}

/** The comparison of all feeds with the database. It finds what the bus has lost, and a change of the epoch. */
export interface Tick {
  /** Evicts old events, and compares now, unless a comparison is in progress. Never rejects. */
  run(): Promise<void>;
  /** Switches to another epoch and resets all feeds, unless that has happened since `known` was read. */
  switchEpoch(known: string, epoch: string): void;
  /**
   * Renews the epoch because the database has lost data that was committed before: an older copy has taken its place. All
   * instances notice the new epoch. Only what the database says may lead to it.
   */
  renewEpoch(roomId: string): void;
}

export function createTick({ messages, epochs, history, log, openFeeds, reset }: TickServices): Tick {
  let isRunning = false;
  let isDatabaseAvailable = true;

  async function run(): Promise<void> {
    for (const { feed } of openFeeds()) feed.evictOld();
    if (isRunning) return;
    isRunning = true;
    try {
      await compare();
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
  async function compare(): Promise<void> {
    const known = history.epoch;
    // The heads as of before the query: its result does not include events that arrive during it.
    const compared = openFeeds().map(({ roomId, feed }) => ({ roomId, feed, head: feed.head }));
    const { epoch, isMoved, heads } = await messages.compareHeads(
      compared.map(({ roomId, head }) => ({ roomId, head })),
    );
    // The next tick finds the new epoch.
    if (isMoved) return epochs.check();
    if (epoch !== known) return switchEpoch(known, epoch);
    for (const { roomId, feed, head } of compared) {
      const found = heads.get(roomId);
      if (found === null) reset(roomId, roomNotFound());
      else if (found && isBehind(found, head)) return renewEpoch(roomId);
      else if (found) feed.observeHead(found, 'tick');
    }
  }

  function switchEpoch(known: string, epoch: string): void {
    if (history.epoch !== known) return;
    log.warn({ epoch }, 'The epoch has changed: subscribers are notified and must load their pages again');
    history.epoch = epoch;
    // Includes feeds that were opened during the comparison: they hold the previous history.
    for (const { roomId } of openFeeds()) reset(roomId, new HistoryGapError('RESET'));
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
