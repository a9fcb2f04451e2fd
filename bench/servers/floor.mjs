/**
 * The floor: the least work a server can do, with a Redis client and ws, without GraphQL. It parses and serializes each
 * message once, and calls `ws.send` for every subscriber with the id of its operation, as graphql-transport-ws requires.
 */
import { Redis } from 'ioredis';
import { WebSocketServer } from 'ws';
import { channelOf, edgesOf, settings } from './stream.mjs';

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

function join(socket, { id, payload }) {
  const channel = channelOf(payload.variables.roomId);
  let subscribers = channels.get(channel);
  if (!subscribers) {
    subscribers = new Set();
    channels.set(channel, subscribers);
    redis.subscribe(channel);
  }
  const subscriber = { socket, prefix: `{"id":${JSON.stringify(id)},"type":"next","payload":` };
  subscribers.add(subscriber);
  socket.on('close', () => subscribers.delete(subscriber));
}

const server = new WebSocketServer({
  port: settings.port,
  host: '127.0.0.1',
  handleProtocols: () => 'graphql-transport-ws',
  perMessageDeflate: false,
});
server.on('connection', (socket) => {
  socket.on('error', () => {});
  socket.on('message', (data) => {
    const message = JSON.parse(String(data));
    if (message.type === 'connection_init') socket.send('{"type":"connection_ack"}');
    if (message.type === 'subscribe') join(socket, message);
  });
});
