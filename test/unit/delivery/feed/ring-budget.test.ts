import { expect, test } from 'vitest';
import { createRing } from '../../../../src/delivery/feed/ring.js';
import { createRingBudget } from '../../../../src/delivery/feed/ring-budget.js';
import { createModelRoom } from '../../../helpers/model-room.js';

/** A ring, and a function that adds a message to it. */
function ringIn(budget: ReturnType<typeof createRingBudget>) {
  const ring = createRing(budget);
  const room = createModelRoom();
  return {
    ring,
    add() {
      const { head: to, messages } = room.add({ text: 'x'.repeat(1000) });
      const from = { seq: to.seq - 1, rev: to.rev - 1 };
      ring.push({
        from,
        to,
        events: messages.map((message) => ({ kind: 'added', message, position: to })),
      });
    },
    /** The `seq` before the oldest step. */
    oldest: () => Array.from({ length: 50 }, (_, seq) => seq).find((seq) => ring.after({ seq, rev: seq })),
  };
}

test('all rings together have a bound; those that were quiet longest give up steps first', () => {
  const budget = createRingBudget(28_500);
  const [quiet, busy] = [ringIn(budget), ringIn(budget)];
  for (let count = 0; count < 5; count += 1) quiet.add();
  for (let count = 0; count < 5; count += 1) busy.add();
  expect([quiet.oldest(), busy.oldest()]).toEqual([0, 0]);
  busy.add();
  busy.add();
  expect([quiet.oldest(), busy.oldest()]).toEqual([2, 0]);
  // The newest step of a room is never given up for others.
  for (let count = 0; count < 30; count += 1) busy.add();
  expect(quiet.oldest()).toBe(4);
  expect(budget.bytes).toBeLessThanOrEqual(28_500);
  expect(busy.oldest()).toBeGreaterThan(20);
});

test('a ring that is cleared no longer counts', () => {
  const budget = createRingBudget();
  const { ring, add } = ringIn(budget);
  add();
  expect(budget.bytes).toBe(ring.bytes);
  expect(budget.bytes).toBeGreaterThan(0);
  ring.clear();
  expect(budget.bytes).toBe(0);
});

test('the newest step stays, however large it is', () => {
  const budget = createRingBudget(100);
  const { add, oldest } = ringIn(budget);
  add();
  add();
  expect(oldest()).toBe(1);
});
