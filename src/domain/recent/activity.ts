import type { Log } from '../ports.js';
import { type ChangeLog, FIRST_TRANSACTION, type RecentChanges, type TransactionId } from './changes.js';

/** Time for which every instance finds a change among the recent ones, in ms. */
const KEEP_MS = 60_000;

/** Keeps the lists of rooms sorted: rooms move up at the tick after a message, not with the message. */
export interface ActivityWriter {
  /** To be called with what each tick has found. Never rejects. */
  apply(recent: RecentChanges): Promise<void>;
}

export function createActivityWriter(changes: Pick<ChangeLog, 'applyActivity'>, log: Log): ActivityWriter {
  /** At the start, what a crash has left. */
  let isPending = true;
  let isRunning = false;
  let since: TransactionId = FIRST_TRANSACTION;
  /** Transactions of the last minute, with the time at which they were the oldest running. */
  let marks: { readonly at: number; readonly transaction: TransactionId }[] = [];

  /** The newest transaction that every instance has read by now. */
  function forgettable({ oldestRunning }: RecentChanges): TransactionId {
    const now = performance.now();
    const newest = marks.at(-1);
    if (!newest || now - newest.at > KEEP_MS / 10) marks.push({ at: now, transaction: oldestRunning });
    const old = marks.filter(({ at }) => now - at > KEEP_MS);
    marks = [...old.slice(-1), ...marks.slice(old.length)];
    return old.at(-1)?.transaction ?? FIRST_TRANSACTION;
  }

  return {
    async apply(recent) {
      const forget = forgettable(recent);
      isPending ||= recent.heads.size > 0;
      if (!isPending || isRunning) return;
      isRunning = true;
      try {
        for (;;) {
          const { appliedTo, updated } = await changes.applyActivity({ since, forget });
          if (appliedTo !== null) {
            since = appliedTo;
            isPending = false;
          }
          if (appliedTo !== null || updated === 0) break;
        }
      } catch (error) {
        log.debug(
          { error: String(error) },
          'Could not sort rooms by their activity: the next tick tries again',
        );
      } finally {
        isRunning = false;
      }
    },
  };
}
