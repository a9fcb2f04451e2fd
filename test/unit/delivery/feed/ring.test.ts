import v8 from 'node:v8';
import vm from 'node:vm';
import { expect, test } from 'vitest';
import { createRing } from '../../../../src/delivery/feed/ring.js';
import { createModelRoom } from '../../../helpers/model-room.js';

test('frees the memory of evicted steps', () => {
  v8.setFlagsFromString('--expose_gc');
  const collectGarbage: () => void = vm.runInNewContext('gc');
  const ring = createRing();
  collectGarbage();
  const before = process.memoryUsage().heapUsed;
  let seq = 0;
  // The events that ticks add in 5 minutes without Redis: each second a block of 500 messages of 1000 characters.
  for (let block = 0; block < 300; block += 1) {
    const room = createModelRoom();
    for (let count = 0; count < 500; count += 1)
      room.add({ text: Buffer.alloc(1000, (seq + count) % 100).toString('latin1') });
    const from = { seq, rev: seq };
    const to = { seq: seq + 500, rev: seq + 500 };
    seq += 500;
    ring.push({
      from,
      to,
      events: room.messages.map((message) => ({ kind: 'added', message, position: to })),
    });
  }
  collectGarbage();
  expect((process.memoryUsage().heapUsed - before) / 2 ** 20).toBeLessThan(10);
  expect(ring.after({ seq: seq + 1, rev: seq + 1 })).toBeNull();
});

test('evicts the steps that were pushed before a given time', () => {
  const ring = createRing();
  const room = createModelRoom(1);
  const push = (seq: number) =>
    ring.push({
      from: { seq: seq - 1, rev: seq - 1 },
      to: { seq, rev: seq },
      events: room.messages.map((message) => ({ kind: 'added', message, position: { seq, rev: seq } })),
    });
  push(1);
  const between = performance.now();
  while (performance.now() === between);
  push(2);
  ring.evictBefore(between + Number.EPSILON);
  expect(ring.after({ seq: 0, rev: 0 })).toBeNull();
  expect(ring.after({ seq: 1, rev: 1 })?.to).toEqual({ seq: 2, rev: 2 });
});
