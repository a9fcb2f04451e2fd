import { type Redis, ReplyError } from 'ioredis';
import type { BusCounters } from '../domain/bus.js';
import type { Log } from '../domain/ports.js';
import { throttleLog } from '../lib/throttle-log.js';
import { type Channel, createChannel } from './channel.js';
import { createRecovery } from './recovery.js';
import { createRetry } from './retry.js';

/** Channels per SUBSCRIBE, so that a reconnect with many channels does not send one huge command. */
const MAX_CHANNELS_PER_COMMAND = 500;

/** The Redis subscriptions of the bus. */
export interface Subscriptions {
  /** Subscribes to a channel. The subscription is restored after a reconnect, and retried while Redis rejects it. */
  subscribe(topic: string): void;
  /** Ends a subscription and confirms it if it was pending. */
  unsubscribe(topic: string): void;
  /** Resolves when the subscription to the topic is in place, is no longer wanted, or the bus is closed. Never rejects. */
  confirmed(topic: string): Promise<void>;
  /** The listener is called whenever `isHealthy` becomes true: on connecting, and after an outage or a refusal. */
  onRecovered(listener: () => void): void;
  /** Whether all subscriptions were restored on the present connection, and Redis rejects none. */
  isHealthy(): boolean;
  /** Confirms all channels, so that no caller waits forever. */
  close(): void;
}

/** Keeps the subscriptions of a client in place, whose own `autoResubscribe` must be off. */
export function createSubscriptions(client: Redis, counters: BusCounters, log: Log): Subscriptions {
  const warnThrottled = throttleLog((fields, message) => log.warn(fields, message));
  const channels = new Map<string, Channel>();
  const refused = new Set<Channel>();
  const retry = createRetry(() => void requestAll([...refused]));
  /** Identifies the connection: a reply that arrives after its connection was lost says nothing about the present one. */
  let connection = 0;
  let restored = false;
  let closed = false;

  const isHealthy = () => restored && refused.size === 0;
  const recovery = createRecovery(isHealthy, log);
  recovery.onRecovered(retry.reset);

  /** Never rejects. Resolves when Redis has replied for each of the channels, or the connection is lost. */
  async function request(batch: readonly Channel[]): Promise<void> {
    const requestedOn = connection;
    // An unsubscribed channel has sent its UNSUBSCRIBE already, so SUBSCRIBE must not be sent after it.
    const wanted = batch.filter((channel) => channels.get(channel.topic) === channel);
    if (wanted.length === 0 || client.status !== 'ready') return;
    try {
      await client.subscribe(...wanted.map(({ topic }) => topic));
      if (requestedOn !== connection) return;
      for (const channel of wanted) {
        channel.state = 'subscribed';
        refused.delete(channel);
        channel.confirm();
      }
    } catch (error) {
      if (requestedOn !== connection) return;
      // Redis rejects the whole command because of a single channel.
      if (wanted.length > 1) {
        await Promise.all(wanted.map((channel) => request([channel])));
        return;
      }
      for (const channel of wanted) handleRefusal(channel, error);
    }
    recovery.check();
  }

  function handleRefusal(channel: Channel, error: unknown): void {
    if (error instanceof ReplyError) counters.refusedSubscribes += 1;
    warnThrottled({ topic: channel.topic, error: String(error) }, 'Redis did not accept a subscription');
    if (channels.get(channel.topic) !== channel) return;
    channel.state = 'refused';
    refused.add(channel);
    retry.schedule();
  }

  async function requestAll(all: readonly Channel[]): Promise<void> {
    const requests: Promise<void>[] = [];
    for (let from = 0; from < all.length; from += MAX_CHANNELS_PER_COMMAND)
      requests.push(request(all.slice(from, from + MAX_CHANNELS_PER_COMMAND)));
    await Promise.all(requests);
  }

  async function onReady(): Promise<void> {
    const requestedOn = connection;
    await requestAll([...channels.values()]);
    if (requestedOn !== connection) return;
    restored = true;
    recovery.check();
  }

  function onClose(): void {
    connection += 1;
    restored = false;
    recovery.reset();
    refused.clear();
    retry.reset();
    // A new listener must wait until the channel is subscribed again, so it gets a new promise.
    for (const [topic, { state }] of channels)
      if (state === 'subscribed') channels.set(topic, createChannel(topic));
  }

  client.on('ready', () => void onReady());
  client.on('close', onClose);

  return {
    subscribe(topic) {
      const channel = createChannel(topic);
      channels.set(topic, channel);
      if (closed) channel.confirm();
      else void request([channel]);
    },

    unsubscribe(topic) {
      const channel = channels.get(topic);
      if (!channel) return;
      channels.delete(topic);
      refused.delete(channel);
      // Without listeners nothing can be missed any more.
      channel.confirm();
      recovery.check();
      if (client.status !== 'ready') return;
      client.unsubscribe(topic).catch((error: Error) => {
        log.debug({ topic, error: error.message }, 'Redis did not end a subscription');
      });
    },

    confirmed: (topic) => channels.get(topic)?.confirmed ?? Promise.resolve(),
    onRecovered: recovery.onRecovered,
    isHealthy,

    close() {
      closed = true;
      onClose();
      for (const { confirm } of channels.values()) confirm();
    },
  };
}
