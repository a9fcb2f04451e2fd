/** Subscriptions as Apollo Server documents them: with graphql-ws and graphql-redis-subscriptions. */
import { createServer } from 'node:http';
import { ApolloServer } from '@apollo/server';
import { makeExecutableSchema } from '@graphql-tools/schema';
import { RedisPubSub } from 'graphql-redis-subscriptions';
import { useServer } from 'graphql-ws/use/ws';
import { Redis } from 'ioredis';
import { WebSocketServer } from 'ws';
import { channelOf, settings, subscribingClient, typeDefs } from '../../servers/stream.mjs';

const pubSub = new RedisPubSub({
  publisher: new Redis(settings.redisUrl),
  subscriber: subscribingClient(),
});
const schema = makeExecutableSchema({
  typeDefs,
  resolvers: {
    Subscription: {
      messageAdded: {
        subscribe: (_root, { roomId }) => pubSub.asyncIterator(channelOf(roomId)),
        resolve: (edge) => edge,
      },
    },
  },
});

const server = createServer();
useServer({ schema }, new WebSocketServer({ server, path: '/graphql' }));
await new ApolloServer({ schema }).start();
server.listen(settings.port, '127.0.0.1');
