import { expect, test } from 'vitest';
import { parseCoreList } from '../../../bench/machine.js';
import {
  busyPart,
  foreignPart,
  parseCores,
  parseProcessStat,
  parseResident,
} from '../../../bench/measure.js';
import { createHistogram, median } from '../../../bench/statistics.js';

test("a process's CPU time is user and system time, whatever the process is called", () => {
  expect(parseProcessStat('42 (a) b (node)) S 1 42 42 0 -1 4194304 9 0 0 0 250 50 7 8 20 0 11 0 1 1')).toBe(
    3,
  );
});

test('memory is what is resident, in bytes', () => {
  expect(parseResident('VmPeak:\t  900 kB\nVmHWM:\t  500 kB\nVmRSS:\t  400 kB\nThreads:\t11\n')).toBe(
    409_600,
  );
});

test('each core is told apart, and how busy it was between two moments', () => {
  const before = parseCores('cpu  9 9 9 9\ncpu0 100 0 0 900 0 0 0 0 0 0\ncpu1 0 0 0 0 0 0 0 0 0 0\nintr 1\n');
  const after = parseCores('cpu  9 9 9 9\ncpu0 150 0 25 925 0 0 0 0 0 0\ncpu1 0 0 0 100 0 0 0 0 0 0\n');
  expect(before).toHaveLength(2);
  expect(busyPart(before[0], after[0])).toBe(0.75);
  expect(busyPart(before[1], after[1])).toBe(0);
  // What the machine's host took away was somebody's work too.
  expect(busyPart(before[1], parseCores('cpu1 0 0 0 75 0 0 0 25 0 0\n')[0])).toBe(0.25);
});

test("what a core did besides a process's work and interrupts, it did for others", () => {
  const [before] = parseCores('cpu0 0 0 0 0 0 0 0 0 0 0\n');
  const [after] = parseCores('cpu0 30 5 15 20 0 4 6 20 0 0\n');
  expect(foreignPart(before, after, 0.25)).toBeCloseTo(0.45);
  // The kernel counts both in steps of its own.
  expect(foreignPart(before, after, 0.75)).toBe(0);
});

test('a list of cores is read as the kernel writes it', () => {
  expect(parseCoreList('0')).toEqual([0]);
  expect(parseCoreList('0-2,5,7-8')).toEqual([0, 1, 2, 5, 7, 8]);
});

test('the median is the middle one, or between the two in the middle', () => {
  expect(median([3, 1, 2])).toBe(2);
  expect(median([4, 1, 3, 2])).toBe(2.5);
  expect(() => median([])).toThrow(RangeError);
});

test('a quantile is the end of the step that it lies within', () => {
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
