import { expect, test } from 'vitest';
import { createDeduplicator } from '../../../packages/client/src/deduplicator.js';

test('should let each added message pass once', () => {
  const { isNew } = createDeduplicator();

  expect([1, 2, 2, 1, 3].map((seq) => isNew(false, seq, 1))).toEqual([true, true, false, false, true]);
});

test('should let each revision pass once, and none that is older', () => {
  const { isNew } = createDeduplicator();

  expect([2, 2, 4, 3, 5].map((revision) => isNew(true, 1, revision))).toEqual([
    true,
    false,
    true,
    false,
    true,
  ]);
  expect(isNew(true, 2, 2)).toBe(true);
});

test('should know the revision in which a message was added', () => {
  const { isNew } = createDeduplicator();

  expect(isNew(false, 7, 3)).toBe(true);
  expect(isNew(true, 7, 3)).toBe(false);
  expect(isNew(true, 7, 4)).toBe(true);
});

test('should not take a change of an older message for an added one', () => {
  const { isNew } = createDeduplicator();
  isNew(false, 9, 1);

  expect(isNew(true, 3, 2)).toBe(true);
  expect(isNew(false, 10, 1)).toBe(true);
});

test('should start from nothing after a reset', () => {
  const deduplicator = createDeduplicator();
  deduplicator.isNew(false, 9, 1);
  deduplicator.isNew(true, 3, 5);

  deduplicator.reset();

  expect(deduplicator.isNew(false, 1, 1)).toBe(true);
  expect(deduplicator.isNew(true, 3, 2)).toBe(true);
});

test('should forget the oldest changes only, so that memory stays bounded', () => {
  const { isNew } = createDeduplicator();
  for (let seq = 1; seq <= 1001; seq += 1) isNew(true, seq, 2);

  expect(isNew(true, 2, 2)).toBe(false);
  expect(isNew(true, 1001, 2)).toBe(false);
  expect(isNew(true, 1, 2)).toBe(true);
});
