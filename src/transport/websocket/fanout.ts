import type { ExecutionArgs, ExecutionResult } from 'graphql';
import type { Feed } from '../../delivery/feed.js';
import type { LiveReader } from '../../delivery/live.js';
import type { MessageEvent } from '../../domain/events.js';
import { endsMembershipOf } from '../../domain/message.js';
import type { Log } from '../../domain/ports.js';
import type { Position } from '../../domain/position.js';
import type { Context } from '../../graphql/context.js';
import { createContext, createSharedContext } from '../../graphql/context.js';
import { payloadOf } from '../../graphql/errors.js';
import { executeShared } from '../../graphql/subscribe.js';
import { frameHeader, toBytes } from './frames.js';
import type { Outbox } from './outbox.js';

/** A subscription that is served by its group. */
export interface Subscriber {
  /** Of the operation, as the client named it. */
  readonly id: string;
  readonly outbox: Outbox;
  /** They must be served alone again: they read too slowly, an event is not for them or can't be told, the feed has ended. */
  onRelease(reader: LiveReader): void;
}

/** What subscribers have in common that are answered alike. */
export interface Answers {
  readonly key: string;
  /** Whether it is one viewer only that is answered so. */
  readonly dependsOnViewer: boolean;
  readonly args: ExecutionArgs;
}

export interface Fanout {
  /** The place of a reader who is to be told what comes, with others. */
  memberFor(reader: LiveReader, subscriber: Subscriber, answers: Answers): Member;
}

/** A subscriber in a group, and how far they are. */
export interface Member {
  readonly reader: LiveReader;
  readonly outbox: Outbox;
  /** `{"id":…,"type":"next","payload":`, as bytes. */
  readonly prefix: string;
  position: Position;
  /** Has them served from now on; may release them at once. */
  join(): void;
  /** Has them served alone again. */
  release(): void;
  /** Ends it. What they were told so far is sent. @returns false where they have left before. */
  leave(): boolean;
}

/**
 * Tells an event to all who are told it alike at the price of one: executed once, turned into JSON once, and each
 * subscriber's frame is their own id around it. Who is slow, or not to see what comes, is given back to their own
 * iterator, which reads at their pace.
 */
export function createFanout(log: Log): Fanout {
  /** Groups are of a feed, and end with it. */
  const groups = new WeakMap<Feed, Map<string, Group>>();
  /** For what is begun together, and so read together; null where that is being read already. */
  let shared: Context | null = null;

  function contextOf({ args, dependsOnViewer }: Answers): Context {
    // The context is whatever `createContext` made for this operation; graphql-js passes it through untyped.
    const { services, authentication, address } = args.contextValue as Context;
    // Of the same viewer, whose tokens end at different times: each socket is closed by its own.
    if (dependsOnViewer && authentication.kind === 'viewer')
      return createContext(services, { ...authentication, expiresAt: Number.POSITIVE_INFINITY }, address);
    if (!shared) {
      shared = createSharedContext(services);
      // Its loaders wait as long for all that is to be read at once. What begins later may tell of something newer.
      void Promise.resolve().then(() =>
        process.nextTick(() => {
          shared = null;
        }),
      );
    }
    return shared;
  }

  /** As bytes of JSON; null where the event can't be told. */
  function payload(event: MessageEvent, { reader }: Member, answers: Answers): Eventually<string | null> {
    const told = (result: ExecutionResult) =>
      result.data == null ? null : toBytes(JSON.stringify(payloadOf(result, log)));
    try {
      const result = executeShared(answers.args, reader.toEvent(event), contextOf(answers));
      // Each of them finds out, and tells their client.
      return isPromise(result) ? result.then(told).catch(() => null) : told(result);
    } catch {
      return null;
    }
  }

  /** Answers for all of them are those of its first subscriber. */
  function groupOf({ feed, position }: LiveReader, answers: Answers): Group {
    const { key } = answers;
    let ofFeed = groups.get(feed);
    if (!ofFeed) {
      ofFeed = new Map();
      groups.set(feed, ofFeed);
    }
    // Readers of added messages and of everything differ in their documents already.
    let group = ofFeed.get(key);
    if (!group) {
      const all = ofFeed;
      group = createGroup(
        feed,
        position,
        (event, member) => payload(event, member, answers),
        () => all.delete(key),
      );
      ofFeed.set(key, group);
    }
    return group;
  }

  return {
    memberFor: (reader, subscriber, answers) => new GroupMember(reader, subscriber, groupOf(reader, answers)),
  };
}

/** Of one group, events that are executed before those before them are told. */
const MAX_BEGUN_EVENTS = 256;

/** A step of the feed that is being executed: of its events, those that the group is told. */
interface BegunStep {
  readonly to: Position;
  readonly events: readonly { readonly event: MessageEvent; readonly json: Eventually<string | null> }[];
}

/** A class, as there is one for every subscription that waits. */
class GroupMember implements Member {
  readonly prefix: string;
  readonly outbox: Outbox;
  position: Position;

  constructor(
    readonly reader: LiveReader,
    private readonly subscriber: Subscriber,
    private readonly group: Group,
  ) {
    this.position = reader.position;
    // Its own: who writes to thousands in a row has no time to look for it.
    this.outbox = subscriber.outbox;
    this.prefix = toBytes(`{"id":${JSON.stringify(subscriber.id)},"type":"next","payload":`);
  }

  join(): void {
    this.group.join(this);
  }

  release(): void {
    if (this.leave()) this.subscriber.onRelease(this.reader);
  }

  leave(): boolean {
    if (!this.group.leave(this)) return false;
    this.reader.position = this.position;
    // What they were told so far comes before whatever comes next on their socket.
    this.outbox.flush();
    return true;
  }
}

interface Group {
  join(member: Member): void;
  /** @returns false where the member has left before. */
  leave(member: Member): boolean;
}

function createGroup(
  feed: Feed,
  start: Position,
  payload: (event: MessageEvent, member: Member) => Eventually<string | null>,
  onEmpty: () => void,
): Group {
  /** Those who have everything up to `position`. */
  const members = new Set<Member>();
  /** Those who joined while events that they have were still being executed. */
  const ahead = new Set<Member>();
  let position = start;
  /** What comes after `position` and is executed already. */
  const begun: BegunStep[] = [];
  let begunEvents = 0;
  let begunTo = start;
  let isTelling = false;
  /** Whether a step after `position` is being told, of which who comes now would miss a part. */
  let isInStep = false;
  const unwatch = feed.watch(tell);

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

  /** Takes in who is where the group is by now; who is not on its way is served alone. */
  function admit(): void {
    for (const member of ahead) {
      if (isSame(member.position, position)) {
        ahead.delete(member);
        members.add(member);
      } else if (isBefore(member.position, position)) member.release();
    }
  }

  /** Begins all that the feed has by now, so that it is read together. */
  function begin(): void {
    for (
      let step = feed.next(begunTo);
      typeof step !== 'string' && begunEvents < MAX_BEGUN_EVENTS;
      step = feed.next(begunTo)
    ) {
      // Also where those who are still here have it all: who left meanwhile was told of it in the same place.
      const any = first(members) ?? first(ahead);
      if (!any) return;
      const { rev, seq } = begunTo;
      const told = step.events.filter(
        ({ kind, message }) => rev !== null || (kind === 'added' && message.seq > seq),
      );
      begun.push({ to: step.to, events: told.map((event) => ({ event, json: payload(event, any) })) });
      begunEvents += told.length;
      begunTo = { seq: step.to.seq, rev: rev === null ? null : step.to.rev };
    }
  }

  /** In the order of the room, however long each of them takes. */
  async function tell(): Promise<void> {
    if (!feed.failure) begin();
    if (isTelling) return;
    isTelling = true;
    while (members.size + ahead.size > 0) {
      const step = begun.shift();
      if (feed.failure || (!step && feed.next(position) === 'not-held')) releaseAll();
      if (feed.failure || !step) break;
      begunEvents -= step.events.length;
      isInStep = true;
      await tellStep(step);
      isInStep = false;
      position = { seq: step.to.seq, rev: position.rev === null ? null : step.to.rev };
      for (const member of members) member.position = position;
      if (ahead.size > 0) admit();
      begin();
    }
    isTelling = false;
  }

  async function tellStep({ events }: BegunStep): Promise<void> {
    for (const { event } of events) releaseRemoved(event);
    for (const { event, json } of events) {
      const known = isPromise(json) ? await json : json;
      if (feed.failure || known === null) {
        for (const member of [...members]) member.release();
        return;
      }
      post(event, known);
    }
  }

  function post(event: MessageEvent, json: string): void {
    const rest = `${json}}`;
    let length = -1;
    let header = '';
    const next = position.rev === null ? { seq: event.message.seq, rev: null } : event.position;
    for (const member of members) {
      const { prefix, outbox } = member;
      if (prefix.length !== length) {
        length = prefix.length;
        header = frameHeader(length + rest.length);
      }
      if (outbox.write(header + prefix + rest)) member.position = next;
      else member.release();
    }
  }

  /** Whose membership ends here sees nothing of it; nor, in a block, of changes that were made after it. */
  function releaseRemoved({ kind, message }: MessageEvent): void {
    if (kind !== 'added' || message.subjectId === null || message.type === 'MEMBER_JOINED') return;
    for (const member of members)
      if (message.seq > member.reader.checkedSeq && endsMembershipOf(member.reader.userId, message))
        member.release();
  }

  return {
    join(member) {
      ahead.add(member);
      // Who is where the step began is behind it when it has been told, and is served alone.
      if (!isInStep) admit();
      void tell();
    },
    leave,
  };
}

/** At once where it can be: most events need nothing to be read. */
type Eventually<Value> = Value | Promise<Value>;

function isPromise<Value>(value: Eventually<Value>): value is Promise<Value> {
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
