import { Redis } from 'ioredis';
import { encodeMessageCursor } from '../../dist/domain/cursor.js';
import { uuidToBytes } from '../../dist/domain/id.js';

/** Settings of every server except Parley, from the environment. */
export const settings = {
  port: Number(process.env.PORT),
  redisUrl: process.env.REDIS_URL,
  /** The prefix of Parley's channels. */
  prefix: process.env.REDIS_PREFIX,
  /** The author of all messages: envelopes contain only the author's id, and these servers have no database. */
  author: JSON.parse(process.env.AUTHOR ?? 'null'),
};

/** Parley's channel of a room (see src/bus/redis.ts). */
export function channelOf(roomId) {
  const hex = Buffer.from(roomId.slice(1), 'base64url').toString('hex');
  const uuid = [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join(
    '-',
  );
  return `${settings.prefix}:0:room:${uuid}`;
}

/** The edges that Parley delivers for the messages of an envelope: the same fields, so the same bytes. */
export function edgesOf(envelope) {
  const { messages, ...room } = JSON.parse(envelope);
  return messages.map((message) => edgeOf(room, message));
}

/** The edge that Parley delivers for a message. */
export function edgeOf({ roomId, epoch }, { id, seq, text, createdAt }) {
  return {
    cursor: encodeMessageCursor({ roomId, epoch, seq, rev: null }),
    node: {
      id: `M${Buffer.from(uuidToBytes(id)).toString('base64url')}`,
      seq,
      text,
      createdAt: new Date(createdAt).toISOString(),
      author: settings.author,
    },
  };
}

/**
 * A Redis client for pub/sub libraries, which expect one event per message: it splits an envelope of several messages into
 * messages of one edge each.
 */
export function subscribingClient() {
  const client = new Redis(settings.redisUrl);
  const on = client.on.bind(client);
  client.on = (event, listener) =>
    event === 'message'
      ? on(event, (channel, envelope) => {
          for (const edge of edgesOf(envelope)) listener(channel, JSON.stringify(edge));
        })
      : on(event, listener);
  return client;
}

/** The part of Parley's schema that the subscription uses. */
export const typeDefs = /* GraphQL */ `
  scalar DateTime
  type Query { ok: Boolean }
  type Subscription { messageAdded(roomId: ID!, after: String): MessageEdge! }
  type MessageEdge { cursor: String! node: Message! }
  type Message { id: ID! seq: Int! text: String! createdAt: DateTime! author: User }
  type User { username: String! displayName: String! }
`;
