import type { MessageEvent } from '../../domain/events.js';
import type { Head } from '../../domain/position.js';

/**
 * Recognizes events that a reader has received already. A replay reads each message in its current state, so a message's
 * latest change may lie beyond the replay's target, and the events after the target contain it again.
 */
export interface Deduplicator {
  /**
   * Whether the event contains something that the reader has not received. Must be called once for every event, in order.
   *
   * @param target end of the step or replay that the event belongs to.
   */
  isNew(event: MessageEvent, target: Head): boolean;
  /** Whether no duplicate can follow any more. */
  readonly isEmpty: boolean;
}

export function createDeduplicator(): Deduplicator {
  /** The latest received `rev` of messages whose change will arrive again, by message id. */
  const received = new Map<string, number>();
  return {
    isNew({ message: { id, rev } }, target) {
      const before = received.get(id);
      if (rev > target.rev) received.set(id, rev);
      else if (before !== undefined && rev >= before) received.delete(id);
      return before === undefined || rev > before;
    },
    get isEmpty() {
      return received.size === 0;
    },
  };
}

/** For readers of added messages only: these are never delivered twice. */
export const passThrough: Deduplicator = { isNew: () => true, isEmpty: true };
