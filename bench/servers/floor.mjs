/** The floor: the least work a server can do, with a Redis client and ws, without GraphQL. */
import { WebSocketServer } from 'ws';
import { settings } from './stream.mjs';
import { createSubscribers } from './subscribers.mjs';

const subscribers = createSubscribers();
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
    if (message.type === 'subscribe') socket.on('close', subscribers.join(socket, message));
  });
});
