import { expect, test } from 'vitest';
import { graphqlTransportWs } from '../../../bench/load/protocols.js';
import {
  createRoomCheck,
  difference,
  type Subscriber,
  sentAtOf,
  textOf,
} from '../../../bench/load/room-check.js';

function setUp(subscribers = 2) {
  const faults: string[] = [];
  const everywhere: number[] = [];
  const check = createRoomCheck({
    subscribers,
    parse: graphqlTransportWs.parse,
    onDeliveredToAll: (sentAt) => everywhere.push(sentAt),
    onFault: (fault) => faults.push(fault),
  });
  const subscriber = (id: string): Subscriber => ({ id: Buffer.from(id), seq: null });
  /** Delivers a message to a subscriber, in the middle of other bytes. */
  const give = (
    to: Subscriber,
    seq: number,
    change: { id?: string; text?: string; operation?: string } = {},
  ) => {
    const { id = `M${seq}`, text = textOf(seq), operation = to.id.toString() } = change;
    const payload = { data: { messageAdded: { node: { id, seq, text } } } };
    const frame = Buffer.from(JSON.stringify({ id: operation, type: 'next', payload }));
    const bytes = Buffer.concat([Buffer.from('before'), frame, Buffer.from('after')]);
    return check.take(to, bytes, 6, 6 + frame.length);
  };
  return { faults, everywhere, check, subscriber, give };
}

test('messages that all subscribers receive in order are counted and then forgotten', () => {
  const { faults, everywhere, check, subscriber, give } = setUp();
  const [one, two] = [subscriber('operation-1'), subscriber('operation-2')];
  expect(give(one, 7)).toBe(7);
  expect(everywhere).toEqual([]);
  expect(check.inFlight).toBe(1);
  give(two, 7);
  give(two, 8);
  give(two, 9);
  give(one, 8);
  give(one, 9);
  expect(everywhere).toEqual([7, 8, 9]);
  expect(check.inFlight).toBe(0);
  expect(faults).toEqual([]);
});

test.each([
  ['skipped', 9],
  ['repeated', 7],
  ['out of order', 5],
])('a message %s is a fault', (_what, seq) => {
  const { faults, subscriber, give } = setUp();
  const one = subscriber('operation-1');
  give(one, 7);
  give(one, seq);
  expect(faults).toEqual([`message ${seq} came after 7`]);
});

test('a message that differs between subscribers is a fault, whatever its length', () => {
  for (const text of [textOf(8), 'short']) {
    const { faults, subscriber, give } = setUp();
    const [one, two] = [subscriber('operation-1'), subscriber('operation-2')];
    for (const to of [one, two]) give(to, 7);
    give(one, 8, { text: textOf(9) });
    give(two, 8, { text });
    const [fault = ''] = faults;
    expect(faults).toHaveLength(1);
    expect(fault).toContain('message 8 differs between subscribers: …');
    // The part that differs, and little else.
    expect(fault).toContain(text.slice(0, 16));
    expect(fault).toContain('bench 0000000009');
    expect(fault.length).toBeLessThan(250);
  }
});

test("a frame with another operation's id is a fault, for the first subscriber and the others", () => {
  const { faults, subscriber, give } = setUp();
  const [one, two] = [subscriber('operation-1'), subscriber('operation-2')];
  for (const to of [one, two]) give(to, 7);
  give(one, 8);
  give(two, 8, { operation: 'operation-1' });
  give(two, 9, { operation: 'operation-1' });
  expect(faults).toEqual([
    'message 8 differs between subscribers: {"id":"operation-1","type":"next","payload":{"d… instead of {"id":"operation-2","type":"next","payload":{"d…',
    'message 9 came without the id of its operation',
  ]);
});

test('a message id other than the one returned to the sender is a fault, whichever arrives first', () => {
  const { faults, check, subscriber, give } = setUp(1);
  const one = subscriber('operation-1');
  check.acknowledge(7, 'M7');
  give(one, 7);
  give(one, 8);
  check.acknowledge(8, 'M8');
  expect(faults).toEqual([]);
  check.acknowledge(9, 'another');
  give(one, 9);
  give(one, 10);
  check.acknowledge(10, 'another');
  expect(faults).toEqual([
    'message 9 has the id another on one side and M9 on the other',
    'message 10 has the id M10 on one side and another on the other',
  ]);
});

test('two texts are shown around their first difference', () => {
  expect(difference('same', 'same!')).toBe('same! instead of same');
  const [before, after] = ['x'.repeat(50), 'y'.repeat(50)];
  expect(difference(`${before}1${after}`, `${before}2${after}`)).toBe(
    `…${'x'.repeat(30)}2${'y'.repeat(29)}… instead of …${'x'.repeat(30)}1${'y'.repeat(29)}…`,
  );
});

test('a frame that is not a delivery is ignored', () => {
  const { check, subscriber } = setUp();
  const bytes = Buffer.from('{"type":"connection_ack"}');
  expect(check.take(subscriber('operation-1'), bytes, 0, bytes.length)).toBeNull();
});

test('a text contains the time it was sent, and all texts have one size; other texts contain no time', () => {
  expect(sentAtOf(textOf(123456.789))).toBe(123456.789);
  expect(textOf(0).length).toBe(textOf(9999999.999).length);
  expect(sentAtOf('Hello')).toBeNaN();
});
