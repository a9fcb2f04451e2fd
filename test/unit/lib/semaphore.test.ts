import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { ServiceUnavailableError } from '../../../src/domain/errors.js';
import { createSemaphore, type Semaphore } from '../../../src/lib/semaphore.js';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** As the pool has it. */
const timeout = (ms: number) => ({ ms, error: () => new ServiceUnavailableError() });

const settled = () => vi.advanceTimersByTimeAsync(0);

/** Tasks that the test ends by hand. */
function setUp(turns: Semaphore) {
  const begun: string[] = [];
  const told: string[] = [];
  const ends = new Map<string, (error?: Error) => void>();
  return {
    begun,
    told,
    /** Asks for a turn; `told` gets the name, or the error's name. */
    ask: (...names: string[]) => {
      for (const name of names)
        void turns
          .run(() => {
            begun.push(name);
            return new Promise<string>((resolve, reject) =>
              ends.set(name, (error) => (error ? reject(error) : resolve(name))),
            );
          })
          .then(
            (result) => told.push(result),
            (error: Error) => told.push(`${name}: ${error.name}`),
          );
      return settled();
    },
    end: (name: string, error?: Error) => {
      ends.get(name)?.(error);
      return settled();
    },
  };
}

test('as many tasks as allowed run at once; the others follow in the order in which they came', async () => {
  const { begun, told, ask, end } = setUp(createSemaphore(2, null));
  await ask('a', 'b', 'c', 'd');
  expect(begun).toEqual(['a', 'b']);
  await end('b');
  expect(begun).toEqual(['a', 'b', 'c']);
  await end('a');
  expect(begun).toEqual(['a', 'b', 'c', 'd']);
  await end('d');
  await end('c');
  expect(told).toEqual(['b', 'a', 'd', 'c']);
});

test('a task that fails, or throws at once, gives its turn back, and its error is that of its caller alone', async () => {
  const turns = createSemaphore(1, null);
  const { begun, told, ask, end } = setUp(turns);
  await ask('a', 'b');
  const thrown = turns.run(() => {
    throw new RangeError();
  });
  const expected = expect(thrown).rejects.toThrow(RangeError);
  await ask('c');
  await end('a', new TypeError());
  expect(begun).toEqual(['a', 'b']);
  await end('b');
  await expected;
  expect(begun).toEqual(['a', 'b', 'c']);
  expect(told).toEqual(['a: TypeError', 'b']);
});

test('nobody who comes when a turn is free overtakes those who wait', async () => {
  const { begun, ask, end } = setUp(createSemaphore(1, null));
  await ask('a', 'b');
  const ended = end('a');
  const asked = ask('c');
  await Promise.all([ended, asked]);
  expect(begun).toEqual(['a', 'b']);
  await end('b');
  expect(begun).toEqual(['a', 'b', 'c']);
});

test('who waits longer than the patience is refused and never begun; those behind move up', async () => {
  const { begun, told, ask, end } = setUp(createSemaphore(1, timeout(5000)));
  await ask('a', 'b');
  await vi.advanceTimersByTimeAsync(3000);
  await ask('c');
  await vi.advanceTimersByTimeAsync(1999);
  expect(told).toEqual([]);
  await vi.advanceTimersByTimeAsync(1);
  expect(told).toEqual(['b: ServiceUnavailableError']);
  await end('a');
  expect(begun).toEqual(['a', 'c']);
});

test('the patience is for the wait, not for the task, and leaves no timer behind', async () => {
  const { told, ask, end } = setUp(createSemaphore(1, timeout(5000)));
  await ask('a', 'b');
  await end('a');
  expect(vi.getTimerCount()).toBe(0);
  await vi.advanceTimersByTimeAsync(60_000);
  await end('b');
  expect(told).toEqual(['a', 'b']);
});

test('without a limit on patience one waits for ever, and without a timer', async () => {
  const { told, ask, end } = setUp(createSemaphore(1, null));
  await ask('a', 'b');
  expect(vi.getTimerCount()).toBe(0);
  await vi.advanceTimersByTimeAsync(24 * 3600_000);
  await end('a');
  await end('b');
  expect(told).toEqual(['a', 'b']);
});

test('the refusal says that the same may succeed later', async () => {
  const turns = createSemaphore(0, timeout(1));
  const refused = expect(turns.run(async () => {})).rejects.toThrow(ServiceUnavailableError);
  await vi.advanceTimersByTimeAsync(1);
  await refused;
});

test('it is idle when nothing runs and nobody waits, not before', async () => {
  const turns = createSemaphore(1, null);
  await turns.idle();
  const { ask, end } = setUp(turns);
  await ask('a', 'b');
  const idle = vi.fn();
  void turns.idle().then(idle);
  await end('a');
  expect(idle).not.toHaveBeenCalled();
  await end('b');
  expect(idle).toHaveBeenCalledOnce();
});

test('a line of ten thousand is let in one by one, in order, in no time', async () => {
  vi.useRealTimers();
  const turns = createSemaphore(10, timeout(60_000));
  const begun: number[] = [];
  const numbers = Array.from({ length: 10_000 }, (_, index) => index);
  const start = performance.now();
  await Promise.all(numbers.map((number) => turns.run(async () => void begun.push(number))));
  expect(begun).toEqual(numbers);
  // 60 ms where it was written; a line that is copied with every step takes seconds.
  expect(performance.now() - start).toBeLessThan(1500);
});
