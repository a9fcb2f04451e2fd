import type { RoomChanged } from '../domain/events.js';
import type { Log } from '../domain/ports.js';

/** The part of an event target that both buses have: the platform's own, and `@graphql-yoga/redis-event-target`. */
export interface BusTarget {
  addEventListener(topic: string, listener: (event: CustomEvent<RoomChanged | null>) => void): void;
  removeEventListener(topic: string, listener: (event: CustomEvent<RoomChanged | null>) => void): void;
  dispatchEvent(event: CustomEvent<RoomChanged>): boolean;
}

/** Publishing and listening by topic; what differs between the buses stays in their own files. */
export function overEventTarget(target: BusTarget, topicOf: (roomId: string) => string, log: Log) {
  return {
    publish(change: RoomChanged): void {
      target.dispatchEvent(new CustomEvent(topicOf(change.roomId), { detail: change }));
    },

    /** @returns a function that stops listening; a second call of it does nothing. */
    listen(roomId: string, listener: (change: RoomChanged) => void): () => void {
      const topic = topicOf(roomId);
      const onEvent = ({ detail }: CustomEvent<RoomChanged | null>): void => {
        // Null: the serializer has dropped it, and has counted and logged that.
        if (detail === null) return;
        try {
          listener(detail);
        } catch (error) {
          // Thrown on, it would be an uncaught exception of the process.
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
