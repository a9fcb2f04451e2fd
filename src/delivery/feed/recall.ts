import type { DeliveryCounters } from '../../domain/counters.js';
import type { Log } from '../../domain/ports.js';
import type { Position } from '../../domain/position.js';
import { blockEvents, headBefore } from '../step.js';
import type { ReadMissing } from './repairs.js';
import type { Timeline } from './timeline.js';

/** Events that a timeline is extended by at most. Readers that are further behind read from the database. */
const MAX_RECALLED_EVENTS = 128;
const MIN_RECALLED_EVENTS = 64;
/** Rows that may be added during the read. */
const SPARE_ROWS = 256;
/** Time after which a timeline may be extended again, in ms. */
const INTERVAL_MS = 1000;

export interface RecallServices {
  readonly roomId: string;
  readonly timeline: Timeline;
  readonly readMissing: ReadMissing;
  readonly isEnded: () => boolean;
  readonly counters: DeliveryCounters;
  readonly log: Log;
}

/** Extends a timeline back to a position, with one read however many readers want it. Never rejects. */
export function createRecall({ roomId, timeline, readMissing, isEnded, counters, log }: RecallServices) {
  let current: Promise<void> | null = null;
  let endedAt = Number.NEGATIVE_INFINITY;

  async function extend(count: number): Promise<void> {
    const rev = Math.max(0, timeline.head.rev - count);
    const limit = count + SPARE_ROWS;
    const found = await readMissing({ roomId, rev, limit, expected: count });
    if (isEnded() || !found || found.messages.length === limit) return;
    const from = headBefore(found.messages, found.head, rev);
    const to = found.head;
    timeline.extendBack({ from, to, events: blockEvents(from, to, found.messages) });
  }

  return async (position: Position): Promise<void> => {
    const { head } = timeline;
    const missing = position.rev === null ? head.seq - position.seq : head.rev - position.rev;
    if (isEnded() || missing > MAX_RECALLED_EVENTS) return;
    if (!current && performance.now() - endedAt > INTERVAL_MS) {
      counters.recalls += 1;
      current = extend(Math.max(MIN_RECALLED_EVENTS, 2 * missing))
        .catch((error) => log.debug({ roomId, error: String(error) }, 'Could not read earlier events'))
        .finally(() => {
          endedAt = performance.now();
          current = null;
        });
    }
    await current;
  };
}
