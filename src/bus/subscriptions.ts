import { type Redis, ReplyError } from 'ioredis';
import type { BusCounters } from '../domain/bus.js';
import type { Log } from '../domain/ports.js';
import { rarely } from '../lib/rarely.js';

/** So many channels are asked for in one command, when all of them are after a reconnect. */
const CHANNELS_AT_ONCE = 500;
/** How long after a refusal Redis is asked again, in ms: at first, then twice as long each time, and at most. */
const RETRY_MS = 1000;
const MAX_RETRY_DELAY_MS = 10_000;

interface Channel {
  readonly topic: string;
  readonly confirmed: Promise<void>;
  readonly confirm: () => void;
  state: 'asking' | 'standing' | 'refused';
}

/**
 * The channels that should stand, and what makes them stand: asked for at once, all again on every new connection, and
 * those that Redis refuses again after a while.
 */
export function createSubscriptions(client: Redis, counters: BusCounters, log: Log) {
  const warnRarely = rarely((fields, message) => log.warn(fields, message));
  const channels = new Map<string, Channel>();
  const refused = new Set<Channel>();
  const recovered = new Set<() => void>();
  /** Counts connections: an answer that comes when its connection is gone says nothing about the present one. */
  let connection = 0;
  let restored = false;
  let stood = false;
  let retry: NodeJS.Timeout | undefined;
  let retryMs = RETRY_MS;
  let closed = false;

  const stand = () => restored && refused.size === 0;

  function noticeChange(): void {
    const before = stood;
    stood = stand();
    if (!stood || before) return;
    clearTimeout(retry);
    retry = undefined;
    retryMs = RETRY_MS;
    for (const listener of recovered) {
      try {
        listener();
      } catch (error) {
        log.error({ error }, 'A listener for the recovery of the bus failed');
      }
    }
  }

  /** Never rejects. Resolves when Redis has answered for each of the channels, or is gone. */
  async function ask(some: readonly Channel[]): Promise<void> {
    const asked = connection;
    // Who left meanwhile has sent the UNSUBSCRIBE, after which nothing must follow.
    const wanted = some.filter((channel) => channels.get(channel.topic) === channel);
    if (wanted.length === 0 || client.status !== 'ready') return;
    try {
      await client.subscribe(...wanted.map(({ topic }) => topic));
      if (asked !== connection) return;
      for (const channel of wanted) {
        channel.state = 'standing';
        refused.delete(channel);
        channel.confirm();
      }
    } catch (error) {
      if (asked !== connection) return;
      // Redis refuses a command as a whole, for the sake of one channel.
      if (wanted.length > 1) {
        await Promise.all(wanted.map((channel) => ask([channel])));
        return;
      }
      for (const channel of wanted) notStanding(channel, error);
    }
    noticeChange();
  }

  function notStanding(channel: Channel, error: unknown): void {
    if (error instanceof ReplyError) counters.refusedSubscribes += 1;
    warnRarely({ topic: channel.topic, error: String(error) }, 'Redis did not take a subscription');
    if (channels.get(channel.topic) !== channel) return;
    channel.state = 'refused';
    refused.add(channel);
    if (retry) return;
    retry = setTimeout(() => {
      retry = undefined;
      void askForAll([...refused]);
    }, retryMs);
    retryMs = Math.min(retryMs * 2, MAX_RETRY_DELAY_MS);
  }

  async function askForAll(all: readonly Channel[]): Promise<void> {
    const asking: Promise<void>[] = [];
    for (let from = 0; from < all.length; from += CHANNELS_AT_ONCE)
      asking.push(ask(all.slice(from, from + CHANNELS_AT_ONCE)));
    await Promise.all(asking);
  }

  async function restore(): Promise<void> {
    const asked = connection;
    await askForAll([...channels.values()]);
    if (asked !== connection) return;
    restored = true;
    noticeChange();
  }

  function forget(): void {
    connection += 1;
    restored = false;
    stood = false;
    refused.clear();
    clearTimeout(retry);
    retry = undefined;
    retryMs = RETRY_MS;
    // What stood no longer does: who listens from now on waits for it to stand again.
    for (const [topic, { state }] of channels)
      if (state === 'standing') channels.set(topic, createChannel(topic));
  }

  client.on('ready', () => void restore());
  client.on('close', forget);

  return {
    subscribe(topic: string): void {
      const channel = createChannel(topic);
      channels.set(topic, channel);
      if (closed) channel.confirm();
      else void ask([channel]);
    },

    unsubscribe(topic: string): void {
      const channel = channels.get(topic);
      if (!channel) return;
      channels.delete(topic);
      refused.delete(channel);
      // Nobody waits for it any more who could miss something.
      channel.confirm();
      noticeChange();
      if (client.status !== 'ready') return;
      client.unsubscribe(topic).catch((error: Error) => {
        log.debug({ topic, error: error.message }, 'Redis did not end a subscription');
      });
    },

    confirmed: (topic: string): Promise<void> => channels.get(topic)?.confirmed ?? Promise.resolve(),
    onRecovered: (listener: () => void) => void recovered.add(listener),
    stand,

    close(): void {
      closed = true;
      forget();
      for (const { confirm } of channels.values()) confirm();
    },
  };
}

function createChannel(topic: string): Channel {
  let confirm = (): void => {};
  const confirmed = new Promise<void>((resolve) => {
    confirm = resolve;
  });
  return { topic, confirmed, confirm, state: 'asking' };
}
