import { setTimeout as sleep } from 'node:timers/promises';
import type { ExecutionResult } from 'graphql';
import type { Feed } from '../../delivery/feed/feed.js';
import type { LiveReader } from '../../delivery/live.js';
import type { MessageEvent } from '../../domain/events.js';
import { type Context, createContext, createSharedContext } from '../../graphql/context.js';
import { payloadOf } from '../../graphql/errors.js';
import { operationOf } from '../../graphql/hooks.js';
import type { MaybePromise, OperationArgs, Pipeline } from '../../graphql/pipeline.js';
import { RETRY_INTERVAL_MS } from '../../graphql/subscribe.js';
import { toBytes } from './frames.js';
import { createGroup, type Group, GroupSubscriber, isPromise, type Subscription } from './group.js';

/** An operation whose results are shared by a group of subscribers. */
export interface SharedOperation {
  /** Identifies the group within its feed; see `sharingOf`. */
  readonly key: string;
  /** Whether all subscribers of the group are the same viewer. */
  readonly dependsOnViewer: boolean;
  readonly args: OperationArgs;
}

export interface Fanout {
  /** Creates a subscriber of the operation's group, for a reader that has caught up. It still has to join. */
  createGroupSubscriber(
    reader: LiveReader,
    subscription: Subscription,
    operation: SharedOperation,
  ): GroupSubscriber;
  /** Groups that any subscriber may join, and those of one viewer each, whose events are executed for that viewer alone. */
  readonly size: { readonly shared: number; readonly ofViewers: number };
}

/** From the commit of an event to now, in ms. The clocks of database and server may differ. */
function lagOf({ message }: MessageEvent): number {
  return Math.max(0, Date.now() - (message.changedAt ?? message.createdAt).getTime());
}

/**
 * Shares the work for an event among all subscribers with equal results: it is executed once and serialized once, and each
 * subscriber's frame adds only its operation id. A subscriber that is slow or loses access is released to a stream of its
 * own, which reads at its pace.
 */
export function createFanout(pipeline: Pick<Pipeline, 'executeShared' | 'hooks'>): Fanout {
  const groups = new WeakMap<Feed, Map<string, Group>>();
  const size = { shared: 0, ofViewers: 0 };
  /** The context for all events whose execution starts in this turn, so that their loads are batched. */
  let sharedContext: Context | null = null;

  function contextOf({ args, dependsOnViewer }: SharedOperation): Context {
    const { services, authentication, address, requestId } = args.contextValue;
    // The viewer's tokens may expire at different times: each socket is closed when its own token expires.
    if (dependsOnViewer && authentication.kind === 'viewer')
      return createContext(
        services,
        {
          authentication: { ...authentication, expiresAt: Number.POSITIVE_INFINITY },
          address,
          requestId,
        },
        () => false,
      );
    if (!sharedContext) {
      sharedContext = createSharedContext(services);
      // DataLoader waits just as long before it dispatches a batch. Later events need a new context to read newer data.
      void Promise.resolve().then(() =>
        process.nextTick(() => {
          sharedContext = null;
        }),
      );
    }
    return sharedContext;
  }

  /** The payload of an event as bytes of JSON; null if the event cannot be delivered, or its group no longer wants it. */
  function payload(
    event: MessageEvent,
    reader: LiveReader,
    operation: SharedOperation,
    isOver: () => boolean,
  ): MaybePromise<string | null> {
    const toJson = (result: ExecutionResult | null) => result && toBytes(JSON.stringify(payloadOf(result)));
    const execute = () =>
      pipeline.executeShared(
        { ...operation.args, contextValue: contextOf(operation) },
        reader.toEvent(event),
      );
    const whenAvailable = async (result: ReturnType<typeof execute>): Promise<string | null> => {
      let settled = await result;
      while (settled === 'unavailable') {
        await sleep(RETRY_INTERVAL_MS);
        settled = isOver() ? null : await execute();
      }
      return toJson(settled);
    };
    try {
      const result = execute();
      // After an error, each subscriber is released, and its own stream reports the error to the client.
      if (isPromise(result) || result === 'unavailable') return whenAvailable(result).catch(() => null);
      return toJson(result);
    } catch {
      return null;
    }
  }

  /** Finds or creates the operation's group. A group executes events with the args of its first subscriber. */
  function groupOf({ feed, position }: LiveReader, operation: SharedOperation): Group {
    const { key } = operation;
    let feedGroups = groups.get(feed);
    if (!feedGroups) {
      feedGroups = new Map();
      groups.set(feed, feedGroups);
    }
    // `messageAdded` and `roomEvents` never share a group, since their documents differ.
    let group = feedGroups.get(key);
    if (!group) {
      const siblings = feedGroups;
      const { hooks } = pipeline;
      const kind = operation.dependsOnViewer ? 'ofViewers' : 'shared';
      const reported = hooks && operationOf(operation.args);
      group = createGroup(feed, position, {
        payload: (event, { reader }, isOver) => payload(event, reader, operation, isOver),
        onDelivered:
          reported &&
          ((event, subscribers, bytes) =>
            hooks.delivered({ operation: reported, subscribers, bytes, lagMs: lagOf(event) })),
        onEmpty: () => {
          siblings.delete(key);
          size[kind] -= 1;
        },
      });
      feedGroups.set(key, group);
      size[kind] += 1;
    }
    return group;
  }

  return {
    size,
    createGroupSubscriber: (reader, subscription, operation) =>
      new GroupSubscriber(reader, subscription, groupOf(reader, operation)),
  };
}
