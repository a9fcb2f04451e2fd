import type { RoomChanged } from './events.js';

/**
 * Tells other instances what changed. A doorbell: it never throws and loses what it must, since the tick finds it.
 */
export interface Bus {
  publish(change: RoomChanged): void;
  /**
   * Hears of a room's changes; several listeners on one room get each event once each.
   * A listener must not throw.
   *
   * `confirmed` resolves once nothing published from then on is missed; it may take as long as Redis is away. It
   * resolves, too, where the room's last listener leaves before that, or the bus is closed. It never rejects.
   */
  subscribe(
    roomId: string,
    listener: (change: RoomChanged) => void,
  ): { readonly confirmed: Promise<void>; unsubscribe(): void };
  /** Calls back whenever all subscriptions were confirmed anew after the bus was away, or had refused some of them. */
  onRecovered(listener: () => void): void;
  /** Whether events flow at the moment: both ways, and for every room that is listened to. */
  isReady(): boolean;
  /** Counted since the start of the process. */
  readonly counters: BusCounters;
  close(): Promise<void>;
}

/** What the bus survived. Each costs at most the second until the tick, and no message. */
export interface BusCounters {
  /** Texts on our channels that are not valid envelopes, or belong to another room than their channel. */
  droppedEnvelopes: number;
  /** Answers with which Redis refused channels; a channel counts again each time that it is tried again. */
  refusedSubscribes: number;
  /** Changes that this instance could not tell the others: Redis away, refusing, or too slow. */
  unpublished: number;
  /** Connections that were torn down because nothing came over them any more. */
  timeouts: number;
  /** Connections that stood again after they had been lost. */
  reconnects: number;
  /** Of another history than ours: our database was restored, or another deployment uses our channels. */
  foreignEvents: number;
}
