import { expect, test } from 'vitest';
import { TurnQueue } from '../../../src/lib/turn-queue.js';

function queueOf(
  items: readonly string[],
  priority = 0,
  queue = new TurnQueue<string>(3),
): TurnQueue<string> {
  // The key is the first letter.
  for (const item of items) queue.add(priority, item.slice(0, 1), item);
  return queue;
}

test('keys take turns, and the items of a key stay in order', () => {
  const queue = queueOf(['a1', 'a2', 'a3', 'b1', 'c1', 'c2']);
  expect(queue.takeAll()).toEqual(['a1', 'b1', 'c1', 'a2', 'c2', 'a3']);
  expect(queue.size).toBe(0);
});

test('a key whose turn cannot be taken is passed over, and keeps its place', () => {
  const queue = queueOf(['a1', 'b1', 'b2']);
  expect(queue.next((key) => key !== 'a')).toBe('b1');
  expect(queue.next()).toBe('a1');
});

test('earlier classes go first, and a later one has one turn in four', () => {
  const queue = queueOf(['a1', 'a2', 'a3', 'a4', 'a5']);
  queueOf(['z1', 'z2'], 2, queue);
  expect(queue.takeAll()).toEqual(['a1', 'a2', 'a3', 'z1', 'a4', 'a5', 'z2']);
});

test('the newest item of the longest key is that of the last class with items', () => {
  const queue = queueOf(['a1', 'b1', 'b2', 'b3', 'c1', 'c2']);
  expect(queue.newestOfLongest()).toBe('b3');
  queueOf(['z1'], 1, queue);
  expect(queue.newestOfLongest()).toBe('z1');
  expect(new TurnQueue().newestOfLongest()).toBeUndefined();
});

test('items can be deleted while they wait', () => {
  const queue = queueOf(['a1', 'a2', 'b1']);
  queue.delete(0, 'a', 'a1');
  queue.delete(0, 'b', 'b1');
  queue.delete(0, 'b', 'b1');
  expect(queue.size).toBe(1);
  expect(queue.takeAll(1)).toEqual(['a2']);
});
