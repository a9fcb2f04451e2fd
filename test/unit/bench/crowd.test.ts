import { expect, test } from 'vitest';
import { missing } from '../../../bench/load/crowd.js';

const readers = [7, 9, null].map((seq) => ({ id: Buffer.from('operation'), seq }));

test('a message that has not come is late as long as the server delivers, and lost when it does no more', () => {
  const room = { readers, sent: 5, stored: 5, seq: 9 };
  expect(missing(room, true)).toBe(
    'late, so not sustained: 2 of 3 subscribers still wait for message 9, and are being served',
  );
  expect(missing(room, false)).toBe('lost: 2 of 3 subscribers never got message 9');
});

test('a message that was never stored is no loss of the server under test', () => {
  expect(missing({ readers, sent: 5, stored: 4, seq: 9 }, false)).toBe(
    'of 5 messages only 4 were acknowledged',
  );
});
