import { expect, test } from 'vitest';
import { at, connect, createRoom, page, send, signUp, subscribe } from '../helpers/client.js';
import { openEventStream } from '../helpers/event-stream.js';
import { startParley, startSibling } from '../helpers/parley.js';
import { openSocketOf } from '../helpers/raw-socket.js';

test('a restart closes sockets with 1012 and disconnects event streams, without complete, and clients resume', async () => {
  const first = await startParley();
  const other = await startSibling(first);
  const alice = await signUp(first.url);
  const roomId = await createRoom(alice);
  const { liveCursor: after } = await page(alice, roomId);
  const raw = await openSocketOf(alice, first.webSocketUrl);
  raw.subscribe('1', { roomId, after });
  const stream = await openEventStream(first.url, alice, { roomId, after });
  const subscription = subscribe(connect(first.webSocketUrl, { token: alice.token }), roomId, after);
  await send(alice, roomId, 'before');
  await Promise.all([raw.received('next', '1'), stream.received(1), subscription.received(1)]);

  await first.stop();
  await send(at(other.url, alice), roomId, 'meanwhile');
  expect(await raw.closed).toMatchObject({ code: 1012 });
  expect(raw.frames.map(({ type }) => type)).toEqual(['connection_ack', 'next']);
  expect(await stream.ended).toBe(false);
  expect(stream.events.map(({ event }) => event)).toEqual(['next']);

  const again = await startSibling(first, { env: { PORT: new URL(first.url).port } });
  await send(at(again.url, alice), roomId, 'after');
  const texts = (await subscription.received(3)).map(({ node }) => node.text);
  expect(texts).toEqual(['before', 'meanwhile', 'after']);
});
