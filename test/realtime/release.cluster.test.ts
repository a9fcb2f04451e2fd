import { Redis } from 'ioredis';
import { expect, inject, test } from 'vitest';
import { rowId } from '../../src/graphql/schema/global-id.js';
import { createRoom, signUp } from '../helpers/client.js';
import { startParley } from '../helpers/parley.js';
import { openSocketOf } from '../helpers/raw-socket.js';

test('the Redis channel of a silent room is unsubscribed after its last reader has left', async () => {
  const parley = await startParley();
  const alice = await signUp(parley.url);
  const roomId = await createRoom(alice);
  const channel = `${parley.config.redisPrefix}:0:room:${rowId('Room', roomId)}`;
  const redis = new Redis(inject('redisUrl'));
  const subscribers = async () => Number((await redis.pubsub('NUMSUB', channel))[1]);
  const socket = await openSocketOf(alice, parley.webSocketUrl);
  socket.subscribe('1', { roomId });
  await expect.poll(subscribers).toBe(1);

  socket.send({ type: 'complete', id: '1' });

  await expect.poll(subscribers, { timeout: 3000 }).toBe(0);
  socket.destroy();
  redis.disconnect();
});
