import type { MessageEvent, Position } from './events.js';
import type { Feed } from './feed.js';

/** A reader who has everything up to the head of a room's feed. */
export interface LiveReader {
  readonly feed: Feed;
  readonly userId: string;
  /** The `seq` up to which their membership is known: a later end of it is theirs. */
  readonly checkedSeq: number;
  /** The head of the feed. */
  readonly position: Position;
  /** The event as their subscription tells it. It is the same for all subscriptions of one kind to one history. */
  toEvent(event: MessageEvent): unknown;
  /** Ends the wait. */
  readonly signal: AbortSignal;
}

/** Serves many readers of the same at once, in place of their own iterators. */
export interface Live {
  /**
   * Tells a reader what comes. Resolves when they must be served one by one again, with how far they are: they read too
   * slowly, an event is not for them or can't be told, the feed has ended. It is for the reader's own iterator to find out
   * which. Never rejects.
   */
  follow(reader: LiveReader): Promise<Position>;
}
