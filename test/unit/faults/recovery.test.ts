import { expect, test } from 'vitest';
import { recoveriesOf } from '../../faults/verdict/recovery.js';

/** A message with this seq, sent and delivered at these times. */
function message(seq: number, sentAt: number, shownAt: number) {
  const clientMessageId = `m${seq}`;
  return {
    sent: { clientMessageId, sentAt, acked: { seq, clientMessageId, at: sentAt } },
    seen: { seq, clientMessageId, at: shownAt },
  };
}

function recoveries(messages: readonly ReturnType<typeof message>[], ...moments: number[]) {
  return recoveriesOf(
    messages.map(({ seen }) => seen),
    messages.map(({ sent }) => sent),
    moments,
  );
}

test('a message in flight counts from the fault, a later one from its first attempt', () => {
  expect(recoveries([message(1, 50, 400), message(2, 200, 420)], 100)).toEqual([300]);
  expect(recoveries([message(1, 50, 120), message(2, 200, 420)], 100)).toEqual([220]);
});

test('messages delivered before the fault or sent after the next fault do not count', () => {
  expect(recoveries([message(1, 0, 99), message(2, 110, 130), message(3, 600, 640)], 100, 500)).toEqual([
    20, 40,
  ]);
});

test('a fault after which nothing was delivered has no value', () => {
  expect(recoveries([message(1, 0, 50)], 100)).toEqual([]);
});
