import { expect, test } from 'vitest';
import { onlyInstance, Share } from '../../../src/lib/share.js';

const LIMITS = { instance: 10, address: 5, anonymous: 2, user: 3 };
const user = (userId: string, address = 'a') => ({ userId, address });
const anonymous = (address = 'a') => ({ userId: null, address });
const times = <Result>(count: number, run: () => Result): Result[] => Array.from({ length: count }, run);

test('a user, an address with and without users, and all together have their limits', () => {
  const share = new Share(LIMITS);
  expect(times(4, () => share.take(user('ada')))).toEqual([null, null, null, 'user']);
  expect(times(3, () => share.take(user('bob')))).toEqual([null, null, 'address']);
  expect(times(3, () => share.take(anonymous()))).toEqual([null, null, 'anonymous']);
  expect(times(4, () => share.take(user('cleo', 'b')))).toEqual([null, null, null, 'user']);
  expect(share.take(user('dan', 'c'))).toBe('instance');
});

test('what is released can be taken again', () => {
  const share = new Share(LIMITS);
  times(3, () => share.take(user('ada')));
  share.release(user('ada'));
  expect(share.take(user('ada'))).toBeNull();
  expect(share.take(user('ada'))).toBe('user');
});

test('clients that are not signed in have half of the instance', () => {
  const share = new Share(LIMITS);
  for (const address of ['a', 'b']) times(2, () => share.take(anonymous(address)));
  expect(times(2, () => share.take(anonymous('c')))).toEqual([null, 'instance']);
  expect(share.take(user('ada', 'd'))).toBeNull();
});

test('addresses of users can be ignored, those of others not', () => {
  const share = new Share(LIMITS, () => true);
  for (const each of ['ada', 'bob']) times(3, () => share.take(user(each)));
  expect(share.take(user('cleo'))).toBeNull();
  expect(times(3, () => share.take(anonymous()))).toEqual([null, null, 'anonymous']);
});

test('without the other limits, that of the instance remains', () => {
  const share = new Share(onlyInstance(LIMITS));
  expect(times(11, () => share.take(user('ada'))).at(-1)).toBe('instance');
});
