import { createRedisEventTarget } from '@graphql-yoga/redis-event-target';
import type { Redis } from 'ioredis';
import type { RoomChanged } from '../domain/events.js';
import type { Bus, Log } from '../domain/ports.js';
import { decodeEnvelope, encodeEnvelope } from './envelope.js';
import { type BusTarget, overEventTarget } from './event-target-bus.js';
import { createRedisClient } from './redis-client.js';

/**
 * The bus between instances: `@graphql-yoga/redis-event-target`, which neither awaits nor catches what it asks of its
 * clients, over clients that are guarded for it.
 */
export function createRedisBus(options: { url: string; prefix: string; log: Log }): Bus {
  const { url, prefix, log } = options;
  // Publishing never waits: what can't go out at once is found by the others' tick.
  const publisher = createRedisClient(
    url,
    'publisher',
    { enableOfflineQueue: false, maxRetriesPerRequest: 0 },
    log,
  );
  // Channels are subscribed again by us, not by the client, since only our own call tells when they stand.
  const subscriber = createRedisClient(
    url,
    'subscriber',
    { autoResubscribe: false, enableOfflineQueue: false },
    log,
  );
  // Channels are of the whole server, whichever database a connection has selected: so the number is in their name.
  const topicOf = (roomId: string) => `${prefix}:${subscriber.options.db ?? 0}:room:${roomId}`;

  const channels = new Map<string, Channel>();
  const recovered = new Set<() => void>();
  let standing = false;

  function ask(topic: string, channel: Channel): void {
    if (subscriber.status !== 'ready') return;
    subscriber.subscribe(topic).then(channel.confirm, (error: Error) => {
      // Refused, or cut off: the next connection asks again, and until then the tick delivers.
      log.warn({ topic, error: error.message }, 'Redis did not take a subscription');
    });
  }

  async function subscribeAgain(): Promise<void> {
    try {
      const before = [...channels];
      if (before.length > 0) await subscriber.subscribe(...before.map(([topic]) => topic));
      for (const [, channel] of before) channel.confirm();
      standing = true;
      for (const listener of recovered) listener();
    } catch (error) {
      log.warn({ error: String(error) }, 'Redis did not take the subscriptions again');
    }
  }

  subscriber.on('ready', () => void subscribeAgain());
  subscriber.on('close', () => {
    standing = false;
  });

  const guardedSubscriber = {
    on: (event: 'message', listener: (channel: string, message: string) => void) =>
      subscriber.on(event, listener),
    subscribe(topic: string): void {
      const channel = createChannel();
      channels.set(topic, channel);
      ask(topic, channel);
    },
    unsubscribe(topic: string): void {
      channels.delete(topic);
      if (subscriber.status !== 'ready') return;
      subscriber.unsubscribe(topic).catch((error: Error) => {
        log.debug({ topic, error: error.message }, 'Redis did not end a subscription');
      });
    },
  };
  const guardedPublisher = {
    publish(topic: string, message: string): void {
      publisher.publish(topic, message).catch((error: Error) => {
        log.debug({ topic, error: error.message }, 'Not published: the tick of the others finds it');
      });
    },
  };

  const target = createRedisEventTarget({
    // The event target calls only what stands above, and uses none of the results.
    publishClient: guardedPublisher as unknown as Redis,
    subscribeClient: guardedSubscriber as unknown as Redis,
    serializer: {
      // What is dispatched is what `publish` below is given.
      stringify: (change) => encodeEnvelope(change as RoomChanged),
      parse(text: string): RoomChanged | null {
        try {
          return decodeEnvelope(text);
        } catch (error) {
          log.warn({ error: String(error), bytes: text.length }, 'Dropped what is no envelope of ours');
          return null;
        }
      },
    },
  }) as BusTarget;
  const { publish, listen } = overEventTarget(target, topicOf, log);

  return {
    publish,
    subscribe(roomId, listener) {
      const unsubscribe = listen(roomId, listener);
      const confirmed = channels.get(topicOf(roomId))?.confirmed ?? Promise.resolve();
      return { confirmed, unsubscribe };
    },
    onRecovered: (listener) => void recovered.add(listener),
    isReady: () => standing && publisher.status === 'ready',
    async close() {
      for (const client of [subscriber, publisher]) client.disconnect();
    },
  };
}

interface Channel {
  readonly confirmed: Promise<void>;
  confirm(): void;
}

function createChannel(): Channel {
  let confirm = (): void => {};
  const confirmed = new Promise<void>((resolve) => {
    confirm = resolve;
  });
  return { confirmed, confirm: () => confirm() };
}
