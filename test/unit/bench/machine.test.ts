import { expect, test } from 'vitest';
import { parseCoreList } from '../../../bench/machine/cores.js';
import {
  busyShare,
  foreignShare,
  parseCores,
  parseProcessStat,
  parseResident,
} from '../../../bench/machine/usage.js';
import { createHistogram, median } from '../../../bench/statistics.js';

test("a process's CPU time is its user and system time, whatever characters its name contains", () => {
  expect(parseProcessStat('42 (a) b (node)) S 1 42 42 0 -1 4194304 9 0 0 0 250 50 7 8 20 0 11 0 1 1')).toBe(
    3,
  );
});

test('memory is the resident set size, in bytes', () => {
  expect(parseResident('VmPeak:\t  900 kB\nVmHWM:\t  500 kB\nVmRSS:\t  400 kB\nThreads:\t11\n')).toBe(
    409_600,
  );
});

test('the busy share of each core is computed from two readings', () => {
  const before = parseCores('cpu  9 9 9 9\ncpu0 100 0 0 900 0 0 0 0 0 0\ncpu1 0 0 0 0 0 0 0 0 0 0\nintr 1\n');
  const after = parseCores('cpu  9 9 9 9\ncpu0 150 0 25 925 0 0 0 0 0 0\ncpu1 0 0 0 100 0 0 0 0 0 0\n');
  expect(before).toHaveLength(2);
  expect(busyShare(before[0], after[0])).toBe(0.75);
  expect(busyShare(before[1], after[1])).toBe(0);
  // Stolen time counts as busy.
  expect(busyShare(before[1], parseCores('cpu1 0 0 0 75 0 0 0 25 0 0\n')[0])).toBe(0.25);
});

test("the foreign share of a core is its busy share without interrupts and the process's own share", () => {
  const [before] = parseCores('cpu0 0 0 0 0 0 0 0 0 0 0\n');
  const [after] = parseCores('cpu0 30 5 15 20 0 4 6 20 0 0\n');
  expect(foreignShare(before, after, 0.25)).toBeCloseTo(0.45);
  // The kernel rounds both values, so the difference may be negative.
  expect(foreignShare(before, after, 0.75)).toBe(0);
});

test('a list of cores is parsed in the format of the kernel', () => {
  expect(parseCoreList('0')).toEqual([0]);
  expect(parseCoreList('0-2,5,7-8')).toEqual([0, 1, 2, 5, 7, 8]);
});

test('the median is the middle value, or the mean of the two middle values', () => {
  expect(median([3, 1, 2])).toBe(2);
  expect(median([4, 1, 3, 2])).toBe(2.5);
  expect(() => median([])).toThrow(RangeError);
});

test('a quantile is the upper end of the bucket that contains it', () => {
  const histogram = createHistogram();
  expect(histogram.quantile(0.5)).toBeNull();
  for (let ms = 1; ms <= 100; ms++) histogram.add(ms);
  expect(histogram.quantile(0.5)).toBeCloseTo(50.05);
  expect(histogram.quantile(0.99)).toBeCloseTo(99.05);
  histogram.add(1e9);
  expect(histogram.quantile(1)).toBeCloseTo(10_000.05);
  histogram.reset();
  expect(histogram.quantile(0.5)).toBeNull();
});
