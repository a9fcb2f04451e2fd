import type { BusEvent, RoomChanged } from '../domain/events.js';
import type { Log } from '../domain/ports.js';

/** The event target beneath a bus: the platform's own, or that of `@graphql-yoga/redis-event-target`. */
export interface BusTarget {
  addEventListener(topic: string, listener: (event: CustomEvent<BusEvent | null>) => void): void;
  removeEventListener(topic: string, listener: (event: CustomEvent<BusEvent | null>) => void): void;
  dispatchEvent(event: CustomEvent<RoomChanged>): boolean;
}

/** Creates what both buses share: publishing and listening by room. */
export function createPubSub(target: BusTarget, topicOf: (roomId: string) => string, log: Log) {
  return {
    publish(change: RoomChanged): void {
      target.dispatchEvent(new CustomEvent(topicOf(change.roomId), { detail: change }));
    },

    /** @returns a function that stops listening. Idempotent. */
    listen(roomId: string, listener: (event: BusEvent) => void): () => void {
      const topic = topicOf(roomId);
      const onEvent = ({ detail }: CustomEvent<BusEvent | null>): void => {
        // Null: the serializer has dropped it, and has counted and logged that.
        if (detail === null) return;
        try {
          listener(detail);
        } catch (error) {
          // Rethrown, it would be an uncaught exception and end the process.
          log.error({ error, roomId }, 'A listener of the bus failed');
        }
      };
      target.addEventListener(topic, onEvent);
      let listening = true;
      return () => {
        if (listening) target.removeEventListener(topic, onEvent);
        listening = false;
      };
    },
  };
}
