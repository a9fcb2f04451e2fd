import { Redis } from 'ioredis';
import { channelOf, edgesOf, settings } from './stream.mjs';

/**
 * Delivers Parley's stream by one `send` per subscriber: each message is parsed and serialized once, and each frame begins
 * with the id of its operation, as graphql-transport-ws requires.
 */
export function createSubscribers() {
  const redis = new Redis(settings.redisUrl);
  /** The sockets of the subscribers and the prefix of their frames, by channel. */
  const channels = new Map();

  redis.on('message', (channel, envelope) => {
    const subscribers = channels.get(channel) ?? new Set();
    for (const edge of edgesOf(envelope)) {
      const rest = `${JSON.stringify({ data: { messageAdded: edge } })}}`;
      for (const { socket, prefix } of subscribers) socket.send(prefix + rest);
    }
  });

  return {
    /** Adds a subscriber by its Subscribe message. @returns a function that removes it. */
    join(socket, { id, payload }) {
      const channel = channelOf(payload.variables.roomId);
      let subscribers = channels.get(channel);
      if (!subscribers) {
        subscribers = new Set();
        channels.set(channel, subscribers);
        redis.subscribe(channel);
      }
      const subscriber = { socket, prefix: `{"id":${JSON.stringify(id)},"type":"next","payload":` };
      subscribers.add(subscriber);
      return () => subscribers.delete(subscriber);
    },
  };
}
