import type { ExecutionResult } from 'graphql';
import type { Feed } from '../../delivery/feed.js';
import type { LiveReader } from '../../delivery/live.js';
import type { MessageEvent } from '../../domain/events.js';
import { type Context, createContext, createSharedContext } from '../../graphql/context.js';
import { payloadOf } from '../../graphql/errors.js';
import type { MaybePromise, OperationArgs, Pipeline } from '../../graphql/pipeline.js';
import { toBytes } from './frames.js';
import { createGroup, type Group, isPromise, Member, type Subscriber } from './group.js';

/** What subscribers who get equal results have in common. */
export interface Answers {
  readonly key: string;
  /** Whether all of them are the same viewer. */
  readonly dependsOnViewer: boolean;
  readonly args: OperationArgs;
}

export interface Fanout {
  /** A place in the group of all who get equal results, for a reader who has everything. */
  memberFor(reader: LiveReader, subscriber: Subscriber, answers: Answers): Member;
}

/**
 * Delivers an event to all subscribers who get equal results at the price of one: it is executed once and turned into
 * JSON once, and each subscriber's frame is its own operation id around it. A subscriber who is slow, or must not see
 * what comes, is given back to a stream of its own, which reads at its pace.
 */
export function createFanout(pipeline: Pick<Pipeline, 'executeShared' | 'hooks'>): Fanout {
  /** Groups belong to a feed, and end with it. */
  const groups = new WeakMap<Feed, Map<string, Group>>();
  /** For events that begin together, and so are read together; null once that reading has begun. */
  let shared: Context | null = null;

  function contextOf({ args, dependsOnViewer }: Answers): Context {
    const { services, authentication, address } = args.contextValue;
    // The viewer's tokens end at different times: each socket is closed when its own does.
    if (dependsOnViewer && authentication.kind === 'viewer')
      return createContext(services, { ...authentication, expiresAt: Number.POSITIVE_INFINITY }, address);
    if (!shared) {
      shared = createSharedContext(services);
      // Its loaders wait just as long for what is to be read at once. What begins later may concern something newer.
      void Promise.resolve().then(() =>
        process.nextTick(() => {
          shared = null;
        }),
      );
    }
    return shared;
  }

  /** The payload as bytes of JSON; null if the event cannot be delivered. */
  function payload(event: MessageEvent, { reader }: Member, answers: Answers): MaybePromise<string | null> {
    const toJson = (result: ExecutionResult | null) => result && toBytes(JSON.stringify(payloadOf(result)));
    try {
      const args = { ...answers.args, contextValue: contextOf(answers) };
      const result = pipeline.executeShared(args, reader.toEvent(event));
      // Each member's own stream finds out why, and reports it to its client.
      return isPromise(result) ? result.then(toJson).catch(() => null) : toJson(result);
    } catch {
      return null;
    }
  }

  /** All members get what is executed with the answers of the first. */
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
      const { hooks } = pipeline;
      const { document, operationName } = answers.args;
      const operation = hooks && { name: operationName ?? null, document };
      group = createGroup(feed, position, {
        payload: (event, member) => payload(event, member, answers),
        onDelivered:
          operation && ((subscribers, bytes) => hooks.delivered({ operation, subscribers, bytes })),
        onEmpty: () => all.delete(key),
      });
      ofFeed.set(key, group);
    }
    return group;
  }

  return {
    memberFor: (reader, subscriber, answers) => new Member(reader, subscriber, groupOf(reader, answers)),
  };
}
