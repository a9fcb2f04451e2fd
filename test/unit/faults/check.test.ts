import { expect, test } from 'vitest';
import { check, type Placed, percentile } from '../../faults/check.js';
import { isFlawless } from '../../faults/scenario.js';

const FLAWLESS = { lost: 0, duplicated: 0, outOfOrder: 0, unseen: 0 };

/** Message 1 is a join, which has no name. */
const rows: readonly Placed[] = [1, 2, 3, 4, 5].map((seq) => ({
  seq,
  clientMessageId: seq === 1 ? null : `m${seq}`,
}));
const acked = rows.slice(1);

function row(seq: number): Placed {
  return rows[seq - 1] ?? { seq, clientMessageId: `m${seq}` };
}

function screen(...seqs: number[]) {
  return { after: 0, seen: seqs.map(row) };
}

test('every message once and in order on every screen is flawless', () => {
  expect(check(rows, acked, [screen(1, 2, 3, 4, 5), { after: 2, seen: [3, 4, 5].map(row) }])).toEqual(
    FLAWLESS,
  );
});

test('a message that was acknowledged and is not stored is lost', () => {
  expect(check(rows, [...acked, row(6)], [])).toEqual({ ...FLAWLESS, lost: 1 });
});

test('a message that is stored in another place than was acknowledged is lost', () => {
  expect(check(rows, [{ seq: 3, clientMessageId: 'm2' }], [])).toEqual({ ...FLAWLESS, lost: 1 });
});

test('a message that a screen showed and that is not stored is lost', () => {
  expect(check(rows, acked, [screen(1, 2, 3, 4, 5, 6)])).toEqual({ ...FLAWLESS, lost: 1 });
});

test('a message that a screen showed in the place of another one is lost, and the other one unseen', () => {
  const seen = rows.map((message) => (message.seq === 3 ? { seq: 3, clientMessageId: 'other' } : message));
  expect(check(rows, acked, [{ after: 0, seen }])).toEqual({ ...FLAWLESS, lost: 1, unseen: 1 });
});

test('a message that was delivered twice is a duplicate, at once or later', () => {
  expect(check(rows, acked, [screen(1, 2, 2, 3, 4, 5)])).toEqual({ ...FLAWLESS, duplicated: 1 });
  expect(check(rows, acked, [screen(1, 2, 3, 4, 5, 2)])).toEqual({ ...FLAWLESS, duplicated: 1 });
});

test('a message from before the beginning is a duplicate of the page before', () => {
  expect(check(rows, acked, [{ after: 3, seen: [3, 4, 5].map(row) }])).toEqual({
    ...FLAWLESS,
    duplicated: 1,
  });
});

test('a message that was stored twice is a duplicate', () => {
  expect(check([...rows, { seq: 6, clientMessageId: 'm5' }], acked, [])).toEqual({
    ...FLAWLESS,
    duplicated: 1,
  });
});

test('two messages in the wrong order are out of order', () => {
  expect(check(rows, acked, [screen(1, 3, 2, 4, 5)])).toEqual({ ...FLAWLESS, outOfOrder: 1 });
});

test('a message that never came is unseen: in the middle, at the end, and on an empty screen', () => {
  expect(check(rows, acked, [screen(1, 2, 4, 5)])).toEqual({ ...FLAWLESS, unseen: 1 });
  expect(check(rows, acked, [screen(1, 2, 3, 4)])).toEqual({ ...FLAWLESS, unseen: 1 });
  expect(check(rows, acked, [screen(), screen(1, 2, 3, 4, 5)])).toEqual({ ...FLAWLESS, unseen: 5 });
});

test('who left is to have seen what came until then, and no more', () => {
  const upTo = (seq: number, ...seen: number[]) => ({ after: 1, upTo: seq, seen: seen.map(row) });
  expect(check(rows, acked, [upTo(3, 2, 3), upTo(3, 2, 3, 4)])).toEqual(FLAWLESS);
  expect(check(rows, acked, [upTo(3, 2), upTo(3, 3)])).toEqual({ ...FLAWLESS, unseen: 2 });
});

test('a hole in the sequence is told, since nothing can be counted then', () => {
  expect(() => check([row(1), row(3)], [], [])).toThrow('not dense: 2 rows, and none is 2');
});

test('an outcome is flawless only where something was sent, all of it acknowledged, and nothing counted', () => {
  const outcome = { sent: 4, acked: 4, recoveryMs: [], ...FLAWLESS };
  expect(isFlawless(outcome)).toBe(true);
  for (const spoiled of [
    { sent: 0, acked: 0 },
    { acked: 3 },
    { lost: 1 },
    { duplicated: 1 },
    { outOfOrder: 1 },
    { unseen: 1 },
  ])
    expect(isFlawless({ ...outcome, ...spoiled })).toBe(false);
});

test('percentiles are of the nearest rank', () => {
  const values = Array.from({ length: 200 }, (_, index) => 200 - index);
  expect([0, 50, 99, 100].map((percent) => percentile(values, percent))).toEqual([1, 100, 198, 200]);
  expect(percentile([7], 50)).toBe(7);
  expect(percentile([], 50)).toBeNull();
});
