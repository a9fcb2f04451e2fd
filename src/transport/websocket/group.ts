import type { Feed } from '../../delivery/feed/feed.js';
import type { LiveReader } from '../../delivery/live.js';
import { advanced, endsAccess, portionOf } from '../../delivery/step.js';
import type { MessageEvent } from '../../domain/events.js';
import { endsMembership } from '../../domain/message/message.js';
import { isBefore, isSamePosition, type Position } from '../../domain/position.js';
import type { MaybePromise } from '../../graphql/pipeline.js';
import { frameHeader, toBytes } from './frames.js';
import type { Outbox } from './outbox.js';

/** Limits the events of one group whose execution has started but which are not delivered yet. */
const MAX_STARTED_EVENTS = 256;

/** A subscription on a socket, which a group can serve. */
export interface Subscription {
  /** The client's id of the operation. */
  readonly id: string;
  readonly outbox: Outbox;
  /**
   * Called when the group stops serving the subscription: it is slow, has lost access, an event cannot be delivered, or the
   * feed has ended.
   */
  onRelease(reader: LiveReader): void;
}

export interface GroupParts {
  /**
   * Returns an event's payload as bytes of JSON, the same for all subscribers; null if it cannot be delivered. Synchronous if
   * no resolver is asynchronous.
   *
   * @param isOver whether the payload is no longer wanted.
   */
  readonly payload: (
    event: MessageEvent,
    subscriber: GroupSubscriber,
    isOver: () => boolean,
  ) => MaybePromise<string | null>;
  /** Called once per event, with the size of its payload in bytes; null if no hook is registered. */
  readonly onDelivered: ((event: MessageEvent, subscribers: number, bytes: number) => void) | null;
  readonly onEmpty: () => void;
}

/** The subscribers of one feed that get equal results. */
export interface Group {
  /** Serves the subscriber from now on. May release it immediately. */
  join(subscriber: GroupSubscriber): void;
  /** @returns false if the subscriber has already left. */
  leave(subscriber: GroupSubscriber): boolean;
}

/** A subscription in a group, with its position. A class, since each idle subscription has one. */
export class GroupSubscriber {
  /** The start of each frame's payload, `{"id":…,"type":"next","payload":`, as bytes. */
  readonly prefix: string;
  /** A copy of the subscription's, for the loop that writes to thousands of subscribers. */
  readonly outbox: Outbox;
  position: Position;

  constructor(
    readonly reader: LiveReader,
    private readonly subscription: Subscription,
    private readonly group: Group,
  ) {
    this.position = reader.position;
    this.outbox = subscription.outbox;
    this.prefix = toBytes(`{"id":${JSON.stringify(subscription.id)},"type":"next","payload":`);
  }

  join(): void {
    this.group.join(this);
  }

  /** Leaves the group, and lets the subscription continue on a stream of its own. */
  release(): void {
    if (this.leave()) this.subscription.onRelease(this.reader);
  }

  /** Leaves the group. @returns false if it has already left. */
  leave(): boolean {
    if (!this.group.leave(this)) return false;
    this.reader.position = this.position;
    // Deliveries so far must precede anything else on the socket.
    this.outbox.flush();
    return true;
  }
}

/** A step of the feed whose execution has started. */
interface StartedStep {
  readonly end: Position;
  readonly events: readonly { readonly event: MessageEvent; readonly json: MaybePromise<string | null> }[];
}

export function createGroup(
  feed: Feed,
  start: Position,
  { payload, onDelivered, onEmpty }: GroupParts,
): Group {
  /** Subscribers at `position`. */
  const subscribers = new Set<GroupSubscriber>();
  /** Subscribers that joined beyond `position`, while events that they already have were still being executed. */
  const ahead = new Set<GroupSubscriber>();
  /** The end of the last delivered step. */
  let position = start;
  /** Steps after `position` whose execution has started, in order. */
  const started: StartedStep[] = [];
  let startedEvents = 0;
  /** The end of the last started step. */
  let startedTo = start;
  let isDelivering = false;
  /** Whether the step after `position` is being delivered: a subscriber that joined now would miss a part of it. */
  let isInStep = false;
  const unwatch = feed.watch(deliver);

  function leave(subscriber: GroupSubscriber): boolean {
    if (!subscribers.delete(subscriber) && !ahead.delete(subscriber)) return false;
    if (subscribers.size + ahead.size === 0) {
      unwatch();
      onEmpty();
    }
    return true;
  }

  const isOver = (): boolean => feed.failure !== null || subscribers.size + ahead.size === 0;

  function releaseAll(): void {
    for (const subscriber of [...subscribers, ...ahead]) subscriber.release();
  }

  /** Admits subscribers whose position the group has reached, and releases those whose position it has passed. */
  function admit(): void {
    for (const subscriber of ahead) {
      if (isSamePosition(subscriber.position, position)) {
        ahead.delete(subscriber);
        subscribers.add(subscriber);
      } else if (isBefore(subscriber.position, position)) subscriber.release();
    }
  }

  /** Starts the execution of all steps that the feed has, so that their loads are batched. */
  function startSteps(): void {
    for (
      let step = feed.next(startedTo);
      typeof step !== 'string' && startedEvents < MAX_STARTED_EVENTS;
      step = feed.next(startedTo)
    ) {
      // The payload is the same for all subscribers, including those ahead.
      const subscriber = first(subscribers) ?? first(ahead);
      if (!subscriber) return;
      const { events, end } = portionOf(step, startedTo, null);
      started.push({
        end,
        events: events.map((event) => ({ event, json: payload(event, subscriber, isOver) })),
      });
      startedEvents += events.length;
      startedTo = end;
    }
  }

  /** Delivers the started steps in order, however long each execution takes. */
  async function deliver(): Promise<void> {
    if (!feed.failure) startSteps();
    if (isDelivering) return;
    isDelivering = true;
    while (subscribers.size + ahead.size > 0) {
      const step = started.shift();
      if (feed.failure || (!step && feed.next(position) === 'not-held')) releaseAll();
      if (feed.failure || !step) break;
      startedEvents -= step.events.length;
      isInStep = true;
      await deliverStep(step);
      isInStep = false;
      position = step.end;
      for (const subscriber of subscribers) subscriber.position = position;
      if (ahead.size > 0) admit();
      startSteps();
    }
    isDelivering = false;
  }

  async function deliverStep({ events }: StartedStep): Promise<void> {
    for (const { event } of events) releaseRemoved(event);
    for (const { event, json } of events) {
      const settled = isPromise(json) ? await json : json;
      if (feed.failure || settled === null) {
        for (const subscriber of [...subscribers]) subscriber.release();
        return;
      }
      write(event, settled);
    }
  }

  function write(event: MessageEvent, json: string): void {
    const suffix = `${json}}`;
    let length = -1;
    let header = '';
    const next = advanced(position, event.position);
    let written = 0;
    for (const subscriber of subscribers) {
      const { prefix, outbox } = subscriber;
      if (prefix.length !== length) {
        length = prefix.length;
        header = frameHeader(length + suffix.length);
      }
      if (outbox.write(header + prefix + suffix)) {
        subscriber.position = next;
        written += 1;
      } else subscriber.release();
    }
    if (written > 0) onDelivered?.(event, written, json.length);
  }

  /** Releases subscribers whose access ends in this step: their own streams deliver its events up to that point. */
  function releaseRemoved({ message }: MessageEvent): void {
    if (!endsMembership(message)) return;
    for (const subscriber of subscribers) if (endsAccess(subscriber.reader, message)) subscriber.release();
  }

  return {
    join(subscriber) {
      ahead.add(subscriber);
      // During a step, a subscriber at `position` stays in `ahead`: after the step it is behind the group, and is released.
      if (!isInStep) admit();
      void deliver();
    },
    leave,
  };
}

export function isPromise<Value>(value: MaybePromise<Value>): value is Promise<Value> {
  return value instanceof Promise;
}

function first<Item>(items: Iterable<Item>): Item | undefined {
  for (const item of items) return item;
  return undefined;
}
