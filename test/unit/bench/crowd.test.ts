import { expect, test } from 'vitest';
import { describeMissing } from '../../../bench/load/crowd.js';

const subscribers = [7, 9, null].map((seq) => ({ id: Buffer.from('operation'), seq }));

test('a missing message is late while the server is still delivering, and lost otherwise', () => {
  const room = { subscribers, sent: 5, stored: 5, seq: 9 };
  expect(describeMissing(room, true)).toBe(
    'late, so not sustained: 2 of 3 subscribers have not received message 9 yet, and the server is still delivering',
  );
  expect(describeMissing(room, false)).toBe('lost: 2 of 3 subscribers never received message 9');
});

test('a message that was never stored does not count as lost by the server under test', () => {
  expect(describeMissing({ subscribers, sent: 5, stored: 4, seq: 9 }, false)).toBe(
    'of 5 messages only 4 were acknowledged',
  );
});
