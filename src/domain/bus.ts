import type { BusEvent, RoomChanged } from './events.js';

/**
 * Notifies all instances of changes in rooms. Delivery is best effort: an event may be lost, and the database still holds the
 * change, which the next tick of the feeds finds.
 */
export interface Bus {
  /** Publishes a change. Returns at once and never throws. */
  publish(change: RoomChanged): void;
  /**
   * Listens to the changes of a room. Several listeners on one room each receive every event once. A listener must not
   * throw.
   *
   * `confirmed` resolves when the subscription is in place, so that everything published from then on is received. That may
   * take as long as Redis is unavailable. It also resolves if the room's last listener unsubscribes before, or the bus is
   * closed. It never rejects.
   */
  subscribe(
    roomId: string,
    listener: (event: BusEvent) => void,
  ): { readonly confirmed: Promise<void>; unsubscribe(): void };
  /** The listener is called whenever all subscriptions are in place again after an outage or a refusal. */
  onRecovered(listener: () => void): void;
  /** Whether events flow at the moment, in both directions and for every subscribed room. */
  isReady(): boolean;
  /** Counted since the start of the process. */
  readonly counters: BusCounters;
  close(): Promise<void>;
}

/** Incidents that the bus has recovered from. Each delays events until the next tick, 1 s at most, and loses no message. */
export interface BusCounters {
  /** Messages on our channels that are not valid envelopes, or that belong to another room than their channel. */
  droppedEnvelopes: number;
  /** Subscriptions that Redis rejected. A channel counts again with each retry. */
  refusedSubscribes: number;
  /** Changes that were not published, because Redis was unavailable, rejected them or was too slow. */
  unpublished: number;
  /** Connections that were closed because nothing arrived on them any more. */
  timeouts: number;
  /** Connections that were established again after a loss. */
  reconnects: number;
  /** Messages whose signature is wrong: someone else writes to our channels, or instances have different secrets. */
  forgedEnvelopes: number;
  /**
   * Events of another epoch, or of messages that the database does not hold: it was restored, or another deployment uses
   * the same channels.
   */
  foreignEvents: number;
  /** Events that this instance found by comparing with the database, although its bus was connected. */
  missedEvents: number;
}
