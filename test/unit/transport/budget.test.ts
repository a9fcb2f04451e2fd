import { expect, test } from 'vitest';
import { createByteBudget } from '../../../src/transport/budget.js';

const LIMITS = { instance: 1000, address: 500, anonymous: 100, user: 200 };

/** Connections with 100 unsent bytes each; those that have stalled for longer come first. Returns who is disconnected. */
function disconnected(
  holders: readonly (readonly [userId: string | null, address: string])[],
  ignoresAddresses = false,
): number[] {
  const log = { debug() {}, info() {}, warn() {}, error() {} };
  const budget = createByteBudget(LIMITS, log, () => ignoresAddresses);
  const found: number[] = [];
  budget.track(() =>
    holders.map(([userId, address], index) => ({
      holder: { userId, address },
      unsentBytes: 100,
      stalledMs: 1000 - index,
      disconnect: () => void found.push(index),
    })),
  );
  budget.enforce();
  return found;
}

const times = (count: number, userId: string | null, address: string) =>
  Array.from({ length: count }, (): [string | null, string] => [userId, address]);

test('the slowest connections of a user are disconnected until the others are within the share', () => {
  expect(disconnected([...times(4, 'ada', 'a'), ...times(2, 'bob', 'a')])).toEqual([0, 1]);
});

test('clients at an address that are not signed in have a share of their own', () => {
  expect(disconnected([...times(2, 'ada', 'a'), ...times(3, null, 'a'), ...times(1, null, 'b')])).toEqual([
    2, 3,
  ]);
});

test('users at one address have a share together, unless addresses say nothing', () => {
  const users = ['ada', 'bob', 'cleo'].flatMap((userId) => times(2, userId, 'a'));
  expect(disconnected(users)).toEqual([0]);
  expect(disconnected(users, true)).toEqual([]);
});

test('all clients together have a limit, and those whose holder is not known count toward it', () => {
  const users = Array.from({ length: 11 }, (_, index) =>
    times(1, `user ${index}`, `address ${index}`),
  ).flat();
  expect(disconnected(users)).toEqual([0]);
});
