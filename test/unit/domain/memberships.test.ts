import { expect, test } from 'vitest';
import { createMemberships, type Membership } from '../../../src/domain/memberships.js';

/** Memberships over a database whose look-ups the test answers. */
function setUp() {
  const lookups: ((membership: Membership | Error) => void)[] = [];
  const memberships = createMemberships({
    findMembership: () =>
      new Promise((resolve, reject) => {
        lookups.push((answer) => (answer instanceof Error ? reject(answer) : resolve(answer)));
      }),
  });
  return { memberships, lookups, ask: () => memberships.of('room', 'user') };
}

test('a member is looked up once, until the membership is forgotten', async () => {
  const { memberships, lookups, ask } = setUp();
  const first = ask();
  lookups[0]?.('member');
  expect(await first).toBe('member');
  expect(await ask()).toBe('member');
  expect(lookups).toHaveLength(1);
  memberships.forget('room', 'user');
  void ask();
  expect(lookups).toHaveLength(2);
});

test('a membership that is remembered needs no look-up', async () => {
  const { memberships, lookups, ask } = setUp();
  memberships.remember('room', 'user');
  expect(await ask()).toBe('member');
  expect(lookups).toHaveLength(0);
});

test('a thousand questions are two look-ups: one may have begun before the membership', async () => {
  const { lookups, ask } = setUp();
  const first = ask();
  const others = Array.from({ length: 999 }, ask);
  lookups[0]?.('not-a-member');
  expect(await first).toBe('not-a-member');
  await expect.poll(() => lookups.length).toBe(2);
  lookups[1]?.('member');
  expect(new Set(await Promise.all(others))).toEqual(new Set(['member']));
  expect(lookups).toHaveLength(2);
});

test('those who wait for a look-up that finds a member need no other, and keep their order', async () => {
  const { lookups, ask } = setUp();
  const order: number[] = [];
  const all = [1, 2, 3].map((number) => ask().then(() => order.push(number)));
  lookups[0]?.('member');
  await Promise.all(all);
  expect(order).toEqual([1, 2, 3]);
  expect(lookups).toHaveLength(1);
});

test('a look-up that fails fails its question only', async () => {
  const { lookups, ask } = setUp();
  const first = ask();
  const second = ask();
  lookups[0]?.(new RangeError());
  await expect(first).rejects.toThrow(RangeError);
  await expect.poll(() => lookups.length).toBe(2);
  lookups[1]?.('not-found');
  expect(await second).toBe('not-found');
});
