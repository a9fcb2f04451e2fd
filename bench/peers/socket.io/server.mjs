/** socket.io with its Redis adapter, as documented. `bridge.mjs` publishes Parley's messages on the adapter's channel. */
import { createServer } from 'node:http';
import { createAdapter } from '@socket.io/redis-adapter';
import { Redis } from 'ioredis';
import { Server } from 'socket.io';

const publisher = new Redis(process.env.REDIS_URL);
const server = createServer();
const io = new Server(server, { adapter: createAdapter(publisher, publisher.duplicate()) });
io.on('connection', (socket) => {
  socket.on('join', (roomId) => socket.join(roomId));
});
server.listen(Number(process.env.PORT), '127.0.0.1');
