import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createCounters } from '../../../src/bus/counters.js';
import type { Bus } from '../../../src/domain/bus.js';
import { createMissWatch } from '../../../src/domain/misses.js';

const log = { debug: vi.fn(), info: vi.fn(), warn: vi.fn(), error: vi.fn() };
let isReady: boolean;
let recover: () => void;
let bus: Bus;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance'] });
  log.warn.mockClear();
  isReady = true;
  bus = {
    publish() {},
    subscribe: () => ({ confirmed: Promise.resolve(), unsubscribe() {} }),
    onRecovered(listener) {
      recover = listener;
    },
    isReady: () => isReady,
    counters: createCounters(),
    async close() {},
  };
});
afterEach(() => vi.useRealTimers());

/** Reports so many rooms in one comparison, and passes the time to the next one. */
function compare(report: (events: number) => void, rooms: number): void {
  for (let room = 0; room < rooms; room += 1) report(1);
  vi.advanceTimersByTime(1000);
}

test('events that go on being late are a warning, once a minute', () => {
  const { report } = createMissWatch(bus, log);
  compare(report, 1);
  compare(report, 1);
  expect(log.warn).not.toHaveBeenCalled();
  for (let count = 0; count < 10; count += 1) compare(report, 1);
  expect(log.warn).toHaveBeenCalledOnce();
  expect(bus.counters.missedEvents).toBe(12);
});

test('late events of many rooms at once are no warning', () => {
  const { report } = createMissWatch(bus, log);
  compare(report, 50);
  expect(log.warn).not.toHaveBeenCalled();
  expect(bus.counters.missedEvents).toBe(50);
});

test('events of an outage are neither counted nor a warning', () => {
  const { report } = createMissWatch(bus, log);
  isReady = false;
  for (let count = 0; count < 10; count += 1) compare(report, 5);
  isReady = true;
  recover();
  compare(report, 50);
  expect(bus.counters.missedEvents).toBe(0);
  expect(log.warn).not.toHaveBeenCalled();
});
