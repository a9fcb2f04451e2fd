import type { MessageEvent } from '../domain/events.js';
import type { Position } from '../domain/position.js';
import type { Feed } from './feed.js';
import type { Attachment } from './feeds.js';

/** An event as subscriptions of one kind tell it, of which room and history. */
type ToEvent = (event: MessageEvent, roomId: string, epoch: string) => unknown;

/**
 * A reader who has everything up to the head of a room's feed: all that is left of a subscription while nothing comes.
 * A class, since most of many thousands are like that.
 */
export class LiveReader {
  constructor(
    private readonly tell: ToEvent,
    /** The history that they read. */
    readonly epoch: string,
    readonly attachment: Attachment,
    readonly userId: string,
    /** The `seq` up to which their membership is known: a later end of it is theirs. */
    readonly checkedSeq: number,
    /** How far they are: to be moved on by whoever tells them what comes. */
    public position: Position,
  ) {}

  get feed(): Feed {
    return this.attachment.feed;
  }

  /** The event as their subscription tells it. It is the same for all subscriptions of one kind to one history. */
  toEvent(event: MessageEvent): unknown {
    return this.tell(event, event.message.roomId, this.epoch);
  }
}

/** Serves many readers of the same at once, in place of their own iterators. */
export interface Live {
  /**
   * Takes a reader over, with their attachment. The iterator that they had ends, and the subscription goes on: what is
   * taken over is told what comes, until `takeBack` or its end.
   */
  follow(reader: LiveReader): void;
  /**
   * A reader who must be served one by one again, with how far they are: they read too slowly, an event is not for them or
   * can't be told, the feed has ended. It is for a new iterator of theirs to find out which. Null where there is none,
   * and the subscription begins.
   */
  takeBack(): LiveReader | null;
}
