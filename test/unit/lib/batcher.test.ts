import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { type BatcherOptions, createBatcher } from '../../../src/lib/batcher.js';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A batcher whose batches take 100 ms, and the batches that it has started. */
function setUp(options: Partial<BatcherOptions<number, string>> = {}) {
  const batches: number[][] = [];
  const batcher = createBatcher<number, string>({
    async run(items) {
      batches.push([...items]);
      await new Promise((resolve) => setTimeout(resolve, 100));
      if (items.includes(13)) throw new Error('unlucky');
      return items.map((item) => `result ${item}`);
    },
    maxCost: 3,
    maxRunning: 1,
    intervalMs: 0,
    ...options,
  });
  return { batcher, batches };
}

test('the first item waits for nothing; those that arrive while a batch runs go together, in their order', async () => {
  const { batcher, batches } = setUp();
  const first = batcher.run(1);
  await vi.advanceTimersByTimeAsync(0);
  expect(batches).toEqual([[1]]);
  const others = [2, 3, 4, 5].map((item) => batcher.run(item));
  expect(batcher.waiting).toBe(4);
  await vi.advanceTimersByTimeAsync(300);
  expect(batches).toEqual([[1], [2, 3, 4], [5]]);
  expect(await Promise.all([first, ...others])).toEqual([1, 2, 3, 4, 5].map((item) => `result ${item}`));
});

test('a batch is bounded by the cost of its items, of which one may cost more', async () => {
  const { batcher, batches } = setUp({ costOf: (item) => item });
  const all = [1, 2, 1, 9, 1].map((item) => batcher.run(item));
  await vi.advanceTimersByTimeAsync(1000);
  await Promise.all(all);
  expect(batches).toEqual([[1, 2], [1], [9], [1]]);
});

test('batches start at intervals, so that items that arrive one after the other go together', async () => {
  const { batcher, batches } = setUp({ maxRunning: 9, maxCost: 9, intervalMs: 10 });
  for (let item = 1; item <= 6; item += 1) {
    void batcher.run(item);
    await vi.advanceTimersByTimeAsync(4);
  }
  expect(batches).toEqual([[1], [2, 3], [4, 5]]);
  await vi.advanceTimersByTimeAsync(6);
  expect(batches.at(-1)).toEqual([6]);
});

test('few items wait for a batch that runs, and many start beside it', async () => {
  const { batcher, batches } = setUp({ maxRunning: 2, maxCost: 9, minCostBeside: 3 });
  void batcher.run(1);
  await vi.advanceTimersByTimeAsync(10);
  void batcher.run(2);
  void batcher.run(3);
  await vi.advanceTimersByTimeAsync(10);
  expect(batches).toEqual([[1]]);
  void batcher.run(4);
  await vi.advanceTimersByTimeAsync(10);
  expect(batches).toEqual([[1], [2, 3, 4]]);
  void batcher.run(5);
  await vi.advanceTimersByTimeAsync(50);
  expect(batches).toHaveLength(2);
  // When the first batch ends, the second still runs; when that ends, nothing does.
  await vi.advanceTimersByTimeAsync(50);
  expect(batches.at(-1)).toEqual([5]);
});

test('a failure rejects the items of its batch, and no others', async () => {
  const { batcher } = setUp();
  const all = [1, 13, 2, 3].map((item) => batcher.run(item).catch(String));
  await vi.advanceTimersByTimeAsync(500);
  expect(await Promise.all(all)).toEqual(['Error: unlucky', 'Error: unlucky', 'Error: unlucky', 'result 3']);
});

test('a batch that takes long no longer counts among those that run', async () => {
  const { batcher, batches } = setUp({ slotMs: 20 });
  void batcher.run(1);
  await vi.advanceTimersByTimeAsync(0);
  void batcher.run(2);
  await vi.advanceTimersByTimeAsync(19);
  expect(batches).toEqual([[1]]);
  await vi.advanceTimersByTimeAsync(1);
  expect(batches).toEqual([[1], [2]]);
  // The end of the first one frees no second place.
  void batcher.run(3);
  void batcher.run(4);
  await vi.advanceTimersByTimeAsync(21);
  expect(batches).toEqual([[1], [2], [3, 4]]);
});

test('a wrong number of results is an error, not another item’s result', async () => {
  const batcher = createBatcher<number, number>({
    run: async (items) => items.slice(1),
    maxCost: 9,
    maxRunning: 1,
    intervalMs: 0,
  });
  await expect(batcher.run(1)).rejects.toThrow('A batch of 1 items had 0 results.');
});
