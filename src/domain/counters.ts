/** How events have reached their readers other than live, since the start of the process. */
export interface DeliveryCounters {
  /** Replays of stored events, each for one reader. */
  replays: number;
  /** Reads of what a feed has missed, each for all readers of a room. */
  repairs: number;
  /** Reads of what a feed no longer held, each for all readers who came back to a room. */
  recalls: number;
}

export function createDeliveryCounters(): DeliveryCounters {
  return { replays: 0, repairs: 0, recalls: 0 };
}
