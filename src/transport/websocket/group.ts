import type { Feed } from '../../delivery/feed.js';
import type { LiveReader } from '../../delivery/live.js';
import { advanced, endsAccess, portionOf } from '../../delivery/step.js';
import type { MessageEvent } from '../../domain/events.js';
import { endsMembership } from '../../domain/message.js';
import type { Position } from '../../domain/position.js';
import type { MaybePromise } from '../../graphql/pipeline.js';
import { frameHeader, toBytes } from './frames.js';
import type { Outbox } from './outbox.js';

/** Events of one group that are executed before the events ahead of them are delivered, at most. */
const MAX_BEGUN_EVENTS = 256;

/** A subscription that a group serves. */
export interface Subscriber {
  /** Of the operation, as the client named it. */
  readonly id: string;
  readonly outbox: Outbox;
  /** It must be served alone: it is slow, has lost access, an event cannot be delivered, or the feed has ended. */
  onRelease(reader: LiveReader): void;
}

export interface GroupParts {
  /** The event's payload, the same for all members, as bytes of JSON; null if it cannot be delivered. At once if nothing has to be read. */
  readonly payload: (event: MessageEvent, member: Member) => MaybePromise<string | null>;
  /** Called once per event, with the bytes of its payload; null if nobody watches. */
  readonly onDelivered: ((subscribers: number, bytes: number) => void) | null;
  readonly onEmpty: () => void;
}

/** The subscribers of a feed who get equal results. */
export interface Group {
  /** Serves the member from now on; may release it at once. */
  join(member: Member): void;
  /** @returns false if the member has left before. */
  leave(member: Member): boolean;
}

/** A subscriber's place in a group, and its position. A class, since there is one for every subscription that waits. */
export class Member {
  /** `{"id":…,"type":"next","payload":`, as bytes. */
  readonly prefix: string;
  /** Kept here, since delivering to thousands in a row leaves no time to look it up. */
  readonly outbox: Outbox;
  position: Position;

  constructor(
    readonly reader: LiveReader,
    private readonly subscriber: Subscriber,
    private readonly group: Group,
  ) {
    this.position = reader.position;
    this.outbox = subscriber.outbox;
    this.prefix = toBytes(`{"id":${JSON.stringify(subscriber.id)},"type":"next","payload":`);
  }

  join(): void {
    this.group.join(this);
  }

  /** Has the subscriber served alone again. */
  release(): void {
    if (this.leave()) this.subscriber.onRelease(this.reader);
  }

  /** Ends the membership; what was delivered so far is sent. @returns false if it has ended before. */
  leave(): boolean {
    if (!this.group.leave(this)) return false;
    this.reader.position = this.position;
    // What was delivered so far comes before whatever comes next on the socket.
    this.outbox.flush();
    return true;
  }
}

/** A step of the feed whose events are being executed. */
interface BegunStep {
  readonly end: Position;
  readonly events: readonly { readonly event: MessageEvent; readonly json: MaybePromise<string | null> }[];
}

export function createGroup(
  feed: Feed,
  start: Position,
  { payload, onDelivered, onEmpty }: GroupParts,
): Group {
  /** Members who have everything up to `position`. */
  const members = new Set<Member>();
  /** Members who joined ahead of `position`, while events that they already have were still being executed. */
  const ahead = new Set<Member>();
  let position = start;
  /** Steps after `position` whose execution has begun. */
  const begun: BegunStep[] = [];
  let begunEvents = 0;
  let begunTo = start;
  let isDelivering = false;
  /** Whether a step after `position` is being delivered, of which a new member would miss a part. */
  let isInStep = false;
  const unwatch = feed.watch(deliver);

  function leave(member: Member): boolean {
    if (!members.delete(member) && !ahead.delete(member)) return false;
    if (members.size + ahead.size === 0) {
      unwatch();
      onEmpty();
    }
    return true;
  }

  function releaseAll(): void {
    for (const member of [...members, ...ahead]) member.release();
  }

  /** Takes in members whose position the group has reached; one that it has passed is served alone. */
  function admit(): void {
    for (const member of ahead) {
      if (isSame(member.position, position)) {
        ahead.delete(member);
        members.add(member);
      } else if (isBefore(member.position, position)) member.release();
    }
  }

  /** Begins everything that the feed has by now, so that it is read together. */
  function begin(): void {
    for (
      let step = feed.next(begunTo);
      typeof step !== 'string' && begunEvents < MAX_BEGUN_EVENTS;
      step = feed.next(begunTo)
    ) {
      // Any member will do, even one that has it all: the payload is the same for all of them.
      const any = first(members) ?? first(ahead);
      if (!any) return;
      const { events, end } = portionOf(step, begunTo, null);
      begun.push({ end, events: events.map((event) => ({ event, json: payload(event, any) })) });
      begunEvents += events.length;
      begunTo = end;
    }
  }

  /** In the order of the room, however long each event takes. */
  async function deliver(): Promise<void> {
    if (!feed.failure) begin();
    if (isDelivering) return;
    isDelivering = true;
    while (members.size + ahead.size > 0) {
      const step = begun.shift();
      if (feed.failure || (!step && feed.next(position) === 'not-held')) releaseAll();
      if (feed.failure || !step) break;
      begunEvents -= step.events.length;
      isInStep = true;
      await deliverStep(step);
      isInStep = false;
      position = step.end;
      for (const member of members) member.position = position;
      if (ahead.size > 0) admit();
      begin();
    }
    isDelivering = false;
  }

  async function deliverStep({ events }: BegunStep): Promise<void> {
    for (const { event } of events) releaseRemoved(event);
    for (const { event, json } of events) {
      const known = isPromise(json) ? await json : json;
      if (feed.failure || known === null) {
        for (const member of [...members]) member.release();
        return;
      }
      write(event, known);
    }
  }

  function write(event: MessageEvent, json: string): void {
    const rest = `${json}}`;
    let length = -1;
    let header = '';
    const next = advanced(position, event.position);
    let written = 0;
    for (const member of members) {
      const { prefix, outbox } = member;
      if (prefix.length !== length) {
        length = prefix.length;
        header = frameHeader(length + rest.length);
      }
      if (outbox.write(header + prefix + rest)) {
        member.position = next;
        written += 1;
      } else member.release();
    }
    if (written > 0) onDelivered?.(written, json.length);
  }

  /** A member whose access ends in the step gets none of it here: its own stream delivers what comes before that. */
  function releaseRemoved({ message }: MessageEvent): void {
    if (!endsMembership(message)) return;
    for (const member of members) if (endsAccess(member.reader, message)) member.release();
  }

  return {
    join(member) {
      ahead.add(member);
      // In the middle of a step, a member who is where that began will be behind it, and is served alone then.
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

function isSame(one: Position, other: Position): boolean {
  return one.seq === other.seq && one.rev === other.rev;
}

function isBefore(one: Position, other: Position): boolean {
  return one.rev === null || other.rev === null ? one.seq < other.seq : one.rev < other.rev;
}
