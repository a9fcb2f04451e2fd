import { createRedisEventTarget } from '@graphql-yoga/redis-event-target';
import type { Redis } from 'ioredis';
import type { Bus } from '../domain/bus.js';
import type { BusEvent, RoomChanged } from '../domain/events.js';
import type { Log } from '../domain/ports.js';
import { throttleLog } from '../lib/throttle-log.js';
import { createRedisClient } from '../redis/client.js';
import { createCounters } from './counters.js';
import { decodeEnvelope, encodeEnvelope, partsOf } from './envelope.js';
import { type BusTarget, createPubSub } from './pub-sub.js';
import { createPublisher } from './publisher.js';
import { createSigner } from './signature.js';
import { createSubscriptions } from './subscriptions.js';

/** Minimum time between two lines about forged messages, in ms. */
const FORGED_LOG_INTERVAL_MS = 60_000;

export interface RedisBusOptions {
  readonly url: string;
  /** Prefix of every channel, so that several deployments can share one Redis. */
  readonly prefix: string;
  /** Key of this deployment's signatures; see `auth/keys.ts`. */
  readonly key: Buffer;
  readonly log: Log;
  /** Interval of the heartbeat on each connection, in ms; for tests. */
  readonly pingIntervalMs?: number;
}

/**
 * Creates the bus between instances, on `@graphql-yoga/redis-event-target`. It neither awaits nor catches its clients'
 * promises, so it receives wrappers that never reject.
 */
export function createRedisBus({ url, prefix, key, log, pingIntervalMs }: RedisBusOptions): Bus {
  const signer = createSigner(key);
  const counters = createCounters();
  const clientOptions = {
    pingIntervalMs,
    onTimeout: () => {
      counters.timeouts += 1;
    },
    onReconnect: () => {
      counters.reconnects += 1;
    },
  };
  const publisher = createRedisClient(url, 'publisher', clientOptions, log);
  // Only the reply to our own SUBSCRIBE shows when a channel is subscribed again, so the client's `autoResubscribe` is off.
  const subscriber = createRedisClient(url, 'subscriber', { ...clientOptions, autoResubscribe: false }, log);
  // Channels are shared by all databases of a Redis server, so their names contain the database's number.
  const topicOf = (roomId: string) => `${prefix}:${subscriber.options.db ?? 0}:room:${roomId}`;

  const subscriptions = createSubscriptions(subscriber, counters, log);
  const warnThrottled = throttleLog((fields, message) => log.warn(fields, message));
  function drop(error: unknown, bytes: number): null {
    counters.droppedEnvelopes += 1;
    warnThrottled({ error: String(error), bytes }, 'Dropped a message that is not a valid envelope');
    return null;
  }

  const warnForged = throttleLog((fields, message) => log.warn(fields, message), FORGED_LOG_INTERVAL_MS);
  function dropForged(): null {
    counters.forgedEnvelopes += 1;
    warnForged(
      { topic },
      'Dropped a message with a wrong signature: someone else publishes on this channel, or the instances have different secrets (JWT_SECRET)',
    );
    return null;
  }

  /** Channel of the message that is being parsed; the serializer receives only the text. */
  let topic = '';
  const guardedSubscriber = {
    on: (event: 'message', listener: (channel: string, message: string) => void) =>
      subscriber.on(event, (channel: string, message: string) => {
        topic = channel;
        // The event target would dispatch an empty message as an event without content.
        if (message === '') drop('The message is empty', 0);
        else listener(channel, message);
      }),
    subscribe: subscriptions.subscribe,
    unsubscribe: subscriptions.unsubscribe,
  };
  const target = createRedisEventTarget({
    // The casts are safe: the event target calls only these methods, and ignores their results.
    publishClient: createPublisher(publisher, counters, log) as unknown as Redis,
    subscribeClient: guardedSubscriber as unknown as Redis,
    serializer: {
      // Only `publish` below dispatches events.
      stringify: (change) => signer.sign(encodeEnvelope(change as RoomChanged)),
      parse(text: string): BusEvent | null {
        try {
          const signature = signer.verify(text);
          if (signature === 'forged') return dropForged();
          const change = decodeEnvelope(text);
          const { roomId } = change;
          if (topicOf(roomId) !== topic)
            return drop('It is of another room than its channel', Buffer.byteLength(text));
          return signature === 'signed' ? change : { roomId, isHint: true };
        } catch (error) {
          return drop(error, Buffer.byteLength(text));
        }
      },
    },
  }) as BusTarget;
  const { publish, listen } = createPubSub(target, topicOf, log);

  return {
    publish(change) {
      for (const part of partsOf(change)) publish(part);
    },
    subscribe(roomId, listener) {
      const unsubscribe = listen(roomId, listener);
      return { confirmed: subscriptions.confirmed(topicOf(roomId)), unsubscribe };
    },
    onRecovered: subscriptions.onRecovered,
    isReady: () => subscriptions.isHealthy() && publisher.status === 'ready',
    counters,
    async close() {
      subscriptions.close();
      for (const client of [subscriber, publisher]) client.disconnect();
    },
  };
}
