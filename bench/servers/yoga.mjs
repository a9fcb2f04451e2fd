/**
 * The ordinary Yoga pipeline, combined as its documentation shows: pub/sub over `@graphql-yoga/redis-event-target`, and
 * graphql-ws with Yoga's envelop (https://the-guild.dev/graphql/yoga-server/docs/features/subscriptions).
 */
import { createServer } from 'node:http';
import { createRedisEventTarget } from '@graphql-yoga/redis-event-target';
import { useServer } from 'graphql-ws/use/ws';
import { createPubSub, createSchema, createYoga } from 'graphql-yoga';
import { Redis } from 'ioredis';
import { WebSocketServer } from 'ws';
import { channelOf, settings, subscribingClient, typeDefs } from './stream.mjs';

const pubSub = createPubSub({
  eventTarget: createRedisEventTarget({
    publishClient: new Redis(settings.redisUrl),
    subscribeClient: subscribingClient(),
  }),
});

const yoga = createYoga({
  schema: createSchema({
    typeDefs,
    resolvers: {
      Subscription: {
        messageAdded: {
          subscribe: (_root, { roomId }) => pubSub.subscribe(channelOf(roomId)),
          resolve: (edge) => edge,
        },
      },
    },
  }),
  graphiql: { subscriptionsProtocol: 'WS' },
});

const server = createServer(yoga);
const webSocketServer = new WebSocketServer({ server, path: yoga.graphqlEndpoint });

useServer(
  {
    execute: (args) => args.rootValue.execute(args),
    subscribe: (args) => args.rootValue.subscribe(args),
    onSubscribe: async (context, _id, params) => {
      const { schema, execute, subscribe, contextFactory, parse, validate } = yoga.getEnveloped({
        ...context,
        req: context.extra.request,
        socket: context.extra.socket,
        params,
      });
      const args = {
        schema,
        operationName: params.operationName,
        document: parse(params.query),
        variableValues: params.variables,
        contextValue: await contextFactory(),
        rootValue: { execute, subscribe },
      };
      const errors = validate(args.schema, args.document);
      return errors.length > 0 ? errors : args;
    },
  },
  webSocketServer,
);
server.listen(settings.port, '127.0.0.1');
