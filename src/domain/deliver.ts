import type { RoomChanged } from './events.js';
import type { Log } from './ports.js';

/** Tells subscribers, here and on other instances, of what was stored. */
export type Deliver = (change: RoomChanged) => void;

/**
 * A delivery that never throws: what is stored must not look failed because telling of it failed. Subscribers get it
 * from the next tick then.
 */
export function safeDelivery(deliver: Deliver, log: Log): Deliver {
  return (change) => {
    try {
      deliver(change);
    } catch (error) {
      log.error(
        { error, roomId: change.roomId },
        'A stored change was not delivered: the next tick finds it',
      );
    }
  };
}
