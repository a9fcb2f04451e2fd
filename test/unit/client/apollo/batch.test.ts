import { InMemoryCache } from '@apollo/client';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { type Batch, createBatch } from '../../../../packages/client/src/apollo/batch.js';

let cache: InMemoryCache;
let delivered: number[];
let batch: Batch<number>;

beforeEach(() => {
  vi.useFakeTimers();
  cache = new InMemoryCache();
  delivered = [];
  batch = createBatch(cache, (event) => delivered.push(event));
});
afterEach(() => {
  vi.useRealTimers();
});

test('should deliver a single event at once', () => {
  batch.add(1);
  expect(delivered).toEqual([1]);
  vi.advanceTimersByTime(50);
  batch.add(2);
  expect(delivered).toEqual([1, 2]);
});

test('should deliver a burst in one transaction, in order', () => {
  const transactions = vi.spyOn(cache, 'batch');
  for (const event of [1, 2, 3, 4]) batch.add(event);
  expect(delivered).toEqual([1]);

  vi.advanceTimersByTime(20);
  expect(delivered).toEqual([1, 2, 3, 4]);
  expect(transactions).toHaveBeenCalledTimes(2);
});

test('should wait as long as the last delivery took', () => {
  batch = createBatch(cache, (event) => {
    delivered.push(event);
    vi.advanceTimersByTime(100);
  });
  batch.add(1);
  batch.add(2);
  vi.advanceTimersByTime(99);
  expect(delivered).toEqual([1]);

  vi.advanceTimersByTime(1);
  expect(delivered).toEqual([1, 2]);
});

test('should flush and drop what waits', () => {
  for (const event of [1, 2]) batch.add(event);
  batch.flush();
  expect(delivered).toEqual([1, 2]);

  batch.add(3);
  batch.drop();
  vi.runAllTimers();
  expect(delivered).toEqual([1, 2]);
});
