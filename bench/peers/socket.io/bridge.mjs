/** Reads Parley's stream and emits it as another socket.io server would. It runs next to the load and is not measured. */
import { Emitter } from '@socket.io/redis-emitter';
import { Redis } from 'ioredis';
import { edgesOf, settings } from '../../servers/stream.mjs';

const emitter = new Emitter(new Redis(settings.redisUrl));
const redis = new Redis(settings.redisUrl);
await redis.psubscribe(`${settings.prefix}:0:room:*`);
redis.on('pmessage', (_pattern, channel, envelope) => {
  const uuid = channel.slice(channel.lastIndexOf(':') + 1);
  const roomId = `R${Buffer.from(uuid.replaceAll('-', ''), 'hex').toString('base64url')}`;
  for (const edge of edgesOf(envelope)) emitter.to(roomId).emit('message', edge);
});
