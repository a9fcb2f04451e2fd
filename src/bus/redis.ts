import { createRedisEventTarget } from '@graphql-yoga/redis-event-target';
import type { Redis } from 'ioredis';
import type { Bus } from '../domain/bus.js';
import type { RoomChanged } from '../domain/events.js';
import type { Log } from '../domain/ports.js';
import { rarely } from '../lib/rarely.js';
import { createRedisClient } from '../redis/client.js';
import { createCounters } from './counters.js';
import { decodeEnvelope, encodeEnvelope } from './envelope.js';
import { type BusTarget, overEventTarget } from './event-target-bus.js';
import { createPublisher } from './publisher.js';
import { createSubscriptions } from './subscriptions.js';

export interface RedisBusOptions {
  readonly url: string;
  /** Before every channel, so that deployments can share one Redis. */
  readonly prefix: string;
  readonly log: Log;
  /** How often each connection is asked whether it still stands, in ms; for tests. */
  readonly pingIntervalMs?: number;
}

/**
 * The bus between instances: `@graphql-yoga/redis-event-target`, which neither awaits nor catches what it asks of its
 * clients, over clients that are guarded for it.
 */
export function createRedisBus({ url, prefix, log, pingIntervalMs }: RedisBusOptions): Bus {
  const counters = createCounters();
  const watched = {
    pingIntervalMs,
    onTimeout: () => {
      counters.timeouts += 1;
    },
    onReconnect: () => {
      counters.reconnects += 1;
    },
  };
  const publisher = createRedisClient(url, 'publisher', watched, log);
  // Channels are subscribed again by us, not by the client, since only our own call tells when they stand.
  const subscriber = createRedisClient(url, 'subscriber', { ...watched, autoResubscribe: false }, log);
  // Channels are of the whole server, whichever database a connection has selected: so the number is in their name.
  const topicOf = (roomId: string) => `${prefix}:${subscriber.options.db ?? 0}:room:${roomId}`;

  const subscriptions = createSubscriptions(subscriber, counters, log);
  const warnOfJunk = rarely((fields, message) => log.warn(fields, message));
  function drop(error: unknown, bytes: number): null {
    counters.droppedEnvelopes += 1;
    warnOfJunk({ error: String(error), bytes }, 'Dropped what is no envelope of ours');
    return null;
  }

  /** Where the message came from that is parsed at the moment: the serializer is given only its text. */
  let topic = '';
  const guardedSubscriber = {
    on: (event: 'message', listener: (channel: string, message: string) => void) =>
      subscriber.on(event, (channel: string, message: string) => {
        topic = channel;
        // The event target would take it for an event without content.
        if (message === '') drop('It is empty', 0);
        else listener(channel, message);
      }),
    subscribe: subscriptions.subscribe,
    unsubscribe: subscriptions.unsubscribe,
  };
  const target = createRedisEventTarget({
    // The event target calls only what stands above, and uses none of the results.
    publishClient: createPublisher(publisher, counters, log) as unknown as Redis,
    subscribeClient: guardedSubscriber as unknown as Redis,
    serializer: {
      // What is dispatched is what `publish` below is given.
      stringify: (change) => encodeEnvelope(change as RoomChanged),
      parse(text: string): RoomChanged | null {
        try {
          const change = decodeEnvelope(text);
          return topicOf(change.roomId) === topic
            ? change
            : drop('It is of another room than its channel', Buffer.byteLength(text));
        } catch (error) {
          return drop(error, Buffer.byteLength(text));
        }
      },
    },
  }) as BusTarget;
  const { publish, listen } = overEventTarget(target, topicOf, log);

  return {
    publish,
    subscribe(roomId, listener) {
      const unsubscribe = listen(roomId, listener);
      return { confirmed: subscriptions.confirmed(topicOf(roomId)), unsubscribe };
    },
    onRecovered: subscriptions.onRecovered,
    isReady: () => subscriptions.stand() && publisher.status === 'ready',
    counters,
    async close() {
      subscriptions.close();
      for (const client of [subscriber, publisher]) client.disconnect();
    },
  };
}
