/**
 * mercurius with its own subscriptions. Its documented Redis emitter uses a protocol of its own on the channel, so this is a
 * minimal emitter that reads Parley's; it saves mercurius the cost of mqemitter.
 */
import Fastify from 'fastify';
import mercurius from 'mercurius';
import { channelOf, settings, subscribingClient, typeDefs } from '../../servers/stream.mjs';

const redis = subscribingClient();
const queues = new Map();
redis.on('message', (channel, edge) => {
  const payload = JSON.parse(edge);
  for (const queue of queues.get(channel) ?? []) queue.push(payload);
});

const pubsub = {
  subscribe(channel, queue) {
    const present = queues.get(channel) ?? new Set();
    if (present.size === 0) redis.subscribe(channel);
    queues.set(channel, present.add(queue));
    queue.close = () => present.delete(queue);
    return Promise.resolve();
  },
  publish() {},
};

const app = Fastify();
app.register(mercurius, {
  schema: typeDefs,
  resolvers: {
    Subscription: {
      messageAdded: {
        subscribe: (_root, { roomId }, { pubsub: subscriptions }) =>
          subscriptions.subscribe(channelOf(roomId)),
        resolve: (edge) => edge,
      },
    },
  },
  subscription: { pubsub, queueHighWaterMark: 1000 },
});
await app.listen({ port: settings.port, host: '127.0.0.1' });
