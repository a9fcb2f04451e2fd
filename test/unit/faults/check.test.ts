import { expect, test } from 'vitest';
import { isFlawless } from '../../faults/scenario.js';
import { check, type MessageRef, percentile } from '../../faults/verdict/check.js';

const NO_FAULTS = { lost: 0, duplicated: 0, outOfOrder: 0, unseen: 0 };

/** Message 1 is a join, which has no clientMessageId. */
const rows: readonly MessageRef[] = [1, 2, 3, 4, 5].map((seq) => ({
  seq,
  clientMessageId: seq === 1 ? null : `m${seq}`,
}));
const acked = rows.slice(1);

function row(seq: number): MessageRef {
  return rows[seq - 1] ?? { seq, clientMessageId: `m${seq}` };
}

function subscriber(...seqs: number[]) {
  return { after: 0, seen: seqs.map(row) };
}

test('deliveries of every message, once and in order, to every subscriber are flawless', () => {
  expect(check(rows, acked, [subscriber(1, 2, 3, 4, 5), { after: 2, seen: [3, 4, 5].map(row) }])).toEqual(
    NO_FAULTS,
  );
});

test('a message that was acknowledged and is not stored is lost', () => {
  expect(check(rows, [...acked, row(6)], [])).toEqual({ ...NO_FAULTS, lost: 1 });
});

test('a message that is stored with another seq than acknowledged is lost', () => {
  expect(check(rows, [{ seq: 3, clientMessageId: 'm2' }], [])).toEqual({ ...NO_FAULTS, lost: 1 });
});

test('a message that was delivered and is not stored is lost', () => {
  expect(check(rows, acked, [subscriber(1, 2, 3, 4, 5, 6)])).toEqual({ ...NO_FAULTS, lost: 1 });
});

test('a message that was delivered in place of another is lost, and the other one is unseen', () => {
  const seen = rows.map((message) => (message.seq === 3 ? { seq: 3, clientMessageId: 'other' } : message));
  expect(check(rows, acked, [{ after: 0, seen }])).toEqual({ ...NO_FAULTS, lost: 1, unseen: 1 });
});

test('a message that was delivered twice, at once or later, is a duplicate', () => {
  expect(check(rows, acked, [subscriber(1, 2, 2, 3, 4, 5)])).toEqual({ ...NO_FAULTS, duplicated: 1 });
  expect(check(rows, acked, [subscriber(1, 2, 3, 4, 5, 2)])).toEqual({ ...NO_FAULTS, duplicated: 1 });
});

test('a message from before the subscription is a duplicate of the page before it', () => {
  expect(check(rows, acked, [{ after: 3, seen: [3, 4, 5].map(row) }])).toEqual({
    ...NO_FAULTS,
    duplicated: 1,
  });
});

test('a message that was stored twice is a duplicate', () => {
  expect(check([...rows, { seq: 6, clientMessageId: 'm5' }], acked, [])).toEqual({
    ...NO_FAULTS,
    duplicated: 1,
  });
});

test('two messages in the wrong order are out of order', () => {
  expect(check(rows, acked, [subscriber(1, 3, 2, 4, 5)])).toEqual({ ...NO_FAULTS, outOfOrder: 1 });
});

test('a message that was never delivered is unseen: in the middle, at the end, and without any deliveries', () => {
  expect(check(rows, acked, [subscriber(1, 2, 4, 5)])).toEqual({ ...NO_FAULTS, unseen: 1 });
  expect(check(rows, acked, [subscriber(1, 2, 3, 4)])).toEqual({ ...NO_FAULTS, unseen: 1 });
  expect(check(rows, acked, [subscriber(), subscriber(1, 2, 3, 4, 5)])).toEqual({ ...NO_FAULTS, unseen: 5 });
});

test('a subscriber that left must have received the messages up to then, and may have received more', () => {
  const upTo = (seq: number, ...seen: number[]) => ({ after: 1, upTo: seq, seen: seen.map(row) });
  expect(check(rows, acked, [upTo(3, 2, 3), upTo(3, 2, 3, 4)])).toEqual(NO_FAULTS);
  expect(check(rows, acked, [upTo(3, 2), upTo(3, 3)])).toEqual({ ...NO_FAULTS, unseen: 2 });
});

test('a gap in the sequence is an error', () => {
  expect(() => check([row(1), row(3)], [], [])).toThrow('has a gap: 2 rows, but none has seq 2');
});

test('an outcome is flawless only if messages were sent, all were acknowledged, and all counts are zero', () => {
  const outcome = { sent: 4, acked: 4, recoveryMs: [], ...NO_FAULTS };
  expect(isFlawless(outcome)).toBe(true);
  for (const flaw of [
    { sent: 0, acked: 0 },
    { acked: 3 },
    { lost: 1 },
    { duplicated: 1 },
    { outOfOrder: 1 },
    { unseen: 1 },
  ])
    expect(isFlawless({ ...outcome, ...flaw })).toBe(false);
});

test('percentiles are nearest-rank percentiles', () => {
  const values = Array.from({ length: 200 }, (_, index) => 200 - index);
  expect([0, 50, 99, 100].map((percent) => percentile(values, percent))).toEqual([1, 100, 198, 200]);
  expect(percentile([7], 50)).toBe(7);
  expect(percentile([], 50)).toBeNull();
});
