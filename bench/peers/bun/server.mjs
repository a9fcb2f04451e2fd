/**
 * The floor of bench/servers/floor.mjs on Bun's WebSocket server, which is not written in JavaScript: what native code with
 * one send per subscriber costs.
 */
import { settings } from '../../servers/stream.mjs';
import { createSubscribers } from '../../servers/subscribers.mjs';

const subscribers = createSubscribers();
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
      if (message.type === 'subscribe') socket.data.leave = subscribers.join(socket, message);
    },
    close: (socket) => socket.data.leave?.(),
  },
});
