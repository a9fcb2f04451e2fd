import type { Bus } from '../../domain/bus.js';
import type { History } from '../../domain/history.js';
import type { Message } from '../../domain/message/message.js';
import type { MessageStore } from '../../domain/message/store.js';
import type { Log } from '../../domain/ports.js';
import type { Feed } from './feed.js';
import type { ReadHead } from './head-reader.js';
import type { Tick } from './tick.js';

/** Minimum time between two looks at the database for the same reason, in ms. */
const LOOK_INTERVAL_MS = 1000;
/** Time without events of another epoch after which the log reports them again, in ms. */
const FOREIGN_LOG_INTERVAL_MS = 60_000;

export interface DoubtServices {
  readonly messages: Pick<MessageStore, 'findId'>;
  readonly readHead: ReadHead;
  readonly history: History;
  readonly bus: Bus;
  readonly tick: Tick;
  readonly log: Log;
}

/**
 * What arrives on the bus without proof, or against what was delivered. Only the database decides, and it is asked at most
 * once per second and reason, since anyone who reaches Redis can send more.
 */
export function createDoubts({ messages, readHead, history, bus, tick, log }: DoubtServices) {
  const hintedAt = new WeakMap<Feed, number>();
  const contradictedAt = new WeakMap<Feed, number>();
  /** When an event of another epoch last caused a tick, by `performance.now()`. */
  let foreignAt = Number.NEGATIVE_INFINITY;

  function isDue(times: WeakMap<Feed, number>, feed: Feed): boolean {
    const now = performance.now();
    if (now - (times.get(feed) ?? Number.NEGATIVE_INFINITY) < LOOK_INTERVAL_MS) return false;
    times.set(feed, now);
    return true;
  }

  /**
   * Another instance knows a new epoch already, so the tick runs early. Or the event is of another deployment, whose traffic
   * must cost little.
   */
  function receiveForeign(): void {
    bus.counters.foreignEvents += 1;
    if (performance.now() - foreignAt < LOOK_INTERVAL_MS) return;
    if (performance.now() - foreignAt > FOREIGN_LOG_INTERVAL_MS)
      log.warn(
        {},
        'Received events of another history: the database was restored, or another deployment uses the same REDIS_PREFIX',
      );
    foreignAt = performance.now();
    void tick.run();
  }

  return {
    receiveForeign,

    /** A room may have changed. */
    async receiveHint(roomId: string, feed: Feed): Promise<void> {
      if (!isDue(hintedAt, feed)) return;
      try {
        const { epoch, found } = await readHead(roomId);
        if (epoch === history.epoch && found) feed.observeHead(found.head);
      } catch (error) {
        log.debug({ roomId, error: String(error) }, 'Could not look at a room: the tick does');
      }
    },

    /**
     * A message claims the place of one that was delivered. If the database holds that message, it has lost the delivered
     * one; otherwise the event is of a copy of the database, and is ignored.
     */
    async receiveContradiction({ roomId, seq, id }: Message, feed: Feed): Promise<void> {
      if (!isDue(contradictedAt, feed)) return;
      try {
        const stored = await messages.findId(roomId, seq);
        if (stored === id) tick.renewEpoch(roomId);
        else receiveForeign();
      } catch (error) {
        log.warn({ roomId, error: String(error) }, 'Could not compare a message with the database');
      }
    },
  };
}
