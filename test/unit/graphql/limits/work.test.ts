import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { assertAnswerSize, OPERATION_LIMITS, Work } from '../../../../src/graphql/limits/work.js';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});

const read = async () => 'read';

test('an operation makes a limited number of reads, and ends with the first one beyond it', async () => {
  const work = new Work(() => false);
  for (let count = 0; count < OPERATION_LIMITS.reads; count += 1) expect(await work.read(read)).toBe('read');
  expect(work.end).toBeNull();

  const beyond = vi.fn(read);
  await expect(work.read(beyond)).rejects.toMatchObject({ extensions: { code: 'LIMIT_EXCEEDED' } });
  expect(beyond).not.toHaveBeenCalled();
  await expect(work.read(beyond)).rejects.toBe(work.end);
});

test('an operation starts no read after its time', async () => {
  const work = new Work(() => false);
  vi.advanceTimersByTime(OPERATION_LIMITS.durationMs);
  expect(await work.read(read)).toBe('read');
  vi.advanceTimersByTime(1);
  await expect(work.read(read)).rejects.toMatchObject({ name: 'ServiceUnavailableError' });
});

test('an operation ends when nobody waits for it, unless it runs to its end', async () => {
  let isGone = false;
  const [query, mutation] = [new Work(() => isGone), new Work(() => isGone)];
  mutation.runToEnd();
  isGone = true;

  await expect(query.read(read)).rejects.toMatchObject({ name: 'ServiceUnavailableError' });
  expect(await mutation.read(read)).toBe('read');
});

const MIB = 1024 * 1024;
test.each([
  ['small data', { a: [1, null, 'text', true] }, true],
  ['no data', undefined, true],
  ['a text of a mebibyte', { a: 'x'.repeat(MIB) }, true],
  ['the same text four times', { a: Array(4).fill('x'.repeat(MIB)) }, false],
  ['many short values', { a: Array(MIB).fill(1) }, false],
  [
    'long names',
    Object.fromEntries(Array.from({ length: 5 }, (_, index) => [`${index}`.repeat(MIB), 1])),
    false,
  ],
])('%s may be an answer or not', (_, data, isAllowed) => {
  if (isAllowed) expect(() => assertAnswerSize(data)).not.toThrow();
  else expect(() => assertAnswerSize(data)).toThrow(/larger than 4 MiB/);
});

test('the estimate is not below the size of the JSON, except for escaped characters', () => {
  const values = ['text', '€€€', '👋', '', 'ümläut', 12345.678, null, true, -1e300];
  const data = { edges: values.map((value, index) => ({ [`name${index}`]: value, list: values })) };
  const bytes = Buffer.byteLength(JSON.stringify(data));
  const copies = Math.ceil(OPERATION_LIMITS.answerBytes / bytes);

  expect(() => assertAnswerSize(Array(copies).fill(data))).toThrow(/larger than/);
});
