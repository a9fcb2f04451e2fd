/**
 * The floor of bench/servers/floor.mjs on Bun's WebSocket server, which is not written in JavaScript: what native code with
 * one send per subscriber costs.
 */
import { Redis } from 'ioredis';
import { channelOf, edgesOf, settings } from '../../servers/stream.mjs';

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
  socket.data.leave = () => subscribers.delete(subscriber);
}

Bun.serve({
  port: settings.port,
  hostname: '127.0.0.1',
  fetch(request, server) {
    const headers = { 'sec-websocket-protocol': 'graphql-transport-ws' };
    if (server.upgrade(request, { headers, data: {} })) return undefined;
    return new Response('Only WebSocket', { status: 426 });
  },
  websocket: {
    perMessageDeflate: false,
    message(socket, data) {
      const message = JSON.parse(String(data));
      if (message.type === 'connection_init') socket.send('{"type":"connection_ack"}');
      if (message.type === 'subscribe') join(socket, message);
    },
    close: (socket) => socket.data.leave?.(),
  },
});
