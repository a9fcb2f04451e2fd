import type { MessageEvent } from '../domain/events.js';
import type { Position } from '../domain/position.js';
import type { Viewer } from '../domain/user.js';
import type { Feed } from './feed/feed.js';
import type { Attachment } from './feed/feeds.js';
import type { ToEvent } from './room-event.js';
import type { Access } from './step.js';

/** The parameters of a subscription, which stay the same until it ends. */
export interface SubscriptionRequest<Event = unknown> {
  readonly viewer: Viewer;
  readonly roomId: string;
  /** Only added messages, or also changes of older ones. */
  readonly scope: 'added' | 'all';
  /** Turns a delivery into the subscription's event. */
  readonly toEvent: ToEvent<Event>;
}

/**
 * A reader that has received everything up to the head of a room's feed. An idle subscription keeps little more
 * than this object. A class, since an instance holds many thousands of them.
 */
export class LiveReader implements Access {
  constructor(
    readonly request: SubscriptionRequest,
    /** The history that the reader follows. */
    readonly epoch: string,
    readonly attachment: Attachment,
    readonly checkedSeq: number,
    /** Updated by the group that serves the reader. */
    public position: Position,
  ) {}

  get userId(): string {
    return this.request.viewer.userId;
  }

  get feed(): Feed {
    return this.attachment.feed;
  }

  /** The subscription's event: equal for all subscriptions of one kind that follow the same history. */
  toEvent(event: MessageEvent): unknown {
    return this.request.toEvent(event, event.message.roomId, this.epoch);
  }
}
