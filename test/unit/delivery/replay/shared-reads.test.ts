import { expect, test } from 'vitest';
import { createSharedReads } from '../../../../src/delivery/replay/shared-reads.js';

const never = new AbortController().signal;
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** Shared reads that record for whom they read, and wait for `release`. */
function setUp(permits = 1) {
  const reads = createSharedReads<string>(permits);
  const readFor: (readonly string[])[] = [];
  const releases: (() => void)[] = [];
  const read = (key: string, userId: string, signal = never) =>
    reads.run(key, { userId, signal }, async (userIds) => {
      readFor.push(userIds);
      await new Promise<void>((resolve) => releases.push(resolve));
      return `${key} for ${userIds.join()}`;
    });
  return { read, readFor, release: () => releases.shift()?.() };
}

test('those who want the same before it is read share one read; later ones get another', async () => {
  const { read, readFor, release } = setUp();
  const first = Promise.all(['ada', 'bob', 'ada'].map((user) => read('page', user)));
  await turn();
  await turn();
  const later = read('page', 'cleo');
  release();
  expect(await first).toEqual(Array(3).fill('page for ada,bob'));
  await turn();
  await turn();
  release();
  expect(await later).toBe('page for cleo');
  expect(readFor).toEqual([['ada', 'bob'], ['cleo']]);
});

test('a reader who leaves is not read for, and a read without readers is left out', async () => {
  const { read, readFor, release } = setUp();
  const busy = read('other', 'zoe');
  await turn();
  await turn();
  const leaving = new AbortController();
  const left = Promise.allSettled([
    read('page', 'ada', leaving.signal),
    read('alone', 'ada', leaving.signal),
  ]);
  const staying = read('page', 'bob');
  await turn();
  leaving.abort(new Error('gone'));
  expect((await left).map((one) => one.status === 'rejected' && one.reason.message)).toEqual([
    'gone',
    'gone',
  ]);
  release();
  await busy;
  await turn();
  await turn();
  release();
  expect(await staying).toBe('page for bob');
  expect(readFor).toEqual([['zoe'], ['bob']]);
});

test('a failed read rejects all who have waited for it, and the next one reads again', async () => {
  const reads = createSharedReads<string>(1);
  let attempts = 0;
  const read = (userId: string) =>
    reads.run('page', { userId, signal: never }, async () => {
      attempts += 1;
      if (attempts === 1) throw new Error('away');
      return 'page';
    });
  const both = await Promise.allSettled([read('ada'), read('bob')]);
  expect(both.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  expect(await read('ada')).toBe('page');
});
