import { expect, test } from 'vitest';
import { graphqlTransportWs } from '../../../bench/load/protocols.js';
import {
  createRoomCheck,
  difference,
  type Reader,
  sentAtOf,
  textOf,
} from '../../../bench/load/room-check.js';

function setUp(readers = 2) {
  const faults: string[] = [];
  const everywhere: number[] = [];
  const check = createRoomCheck({
    readers,
    parse: graphqlTransportWs.parse,
    onEverywhere: (sentAt) => everywhere.push(sentAt),
    onFault: (fault) => faults.push(fault),
  });
  const reader = (id: string): Reader => ({ id: Buffer.from(id), seq: null });
  /** Gives a reader a message, in the middle of other bytes. */
  const give = (to: Reader, seq: number, change: { id?: string; text?: string; operation?: string } = {}) => {
    const { id = `M${seq}`, text = textOf(seq), operation = to.id.toString() } = change;
    const payload = { data: { messageAdded: { node: { id, seq, text } } } };
    const frame = Buffer.from(JSON.stringify({ id: operation, type: 'next', payload }));
    const bytes = Buffer.concat([Buffer.from('before'), frame, Buffer.from('after')]);
    return check.take(to, bytes, 6, 6 + frame.length);
  };
  return { faults, everywhere, check, reader, give };
}

test('messages that come to all, in order, are counted and leave nothing behind', () => {
  const { faults, everywhere, check, reader, give } = setUp();
  const [one, two] = [reader('operation-1'), reader('operation-2')];
  expect(give(one, 7)).toBe(7);
  expect(everywhere).toEqual([]);
  expect(check.underWay).toBe(1);
  give(two, 7);
  give(two, 8);
  give(two, 9);
  give(one, 8);
  give(one, 9);
  expect(everywhere).toEqual([7, 8, 9]);
  expect(check.underWay).toBe(0);
  expect(faults).toEqual([]);
});

test.each([
  ['left out', 9],
  ['repeated', 7],
  ['out of order', 5],
])('a message %s is a fault', (_what, seq) => {
  const { faults, reader, give } = setUp();
  const one = reader('operation-1');
  give(one, 7);
  give(one, seq);
  expect(faults).toEqual([`message ${seq} came after 7`]);
});

test('a message that is not the same for all is a fault, of whichever length', () => {
  for (const text of [textOf(8), 'short']) {
    const { faults, reader, give } = setUp();
    const [one, two] = [reader('operation-1'), reader('operation-2')];
    for (const to of [one, two]) give(to, 7);
    give(one, 8, { text: textOf(9) });
    give(two, 8, { text });
    const [fault = ''] = faults;
    expect(faults).toHaveLength(1);
    expect(fault).toContain('message 8 is not the same for all: …');
    // What one got and the other one did not, and little else.
    expect(fault).toContain(text.slice(0, 16));
    expect(fault).toContain('bench 0000000009');
    expect(fault.length).toBeLessThan(250);
  }
});

test("a frame with another operation's id is a fault, for the first reader and the others", () => {
  const { faults, reader, give } = setUp();
  const [one, two] = [reader('operation-1'), reader('operation-2')];
  for (const to of [one, two]) give(to, 7);
  give(one, 8);
  give(two, 8, { operation: 'operation-1' });
  give(two, 9, { operation: 'operation-1' });
  expect(faults).toEqual([
    'message 8 is not the same for all: {"id":"operation-1","type":"next","payload":{"d… instead of {"id":"operation-2","type":"next","payload":{"d…',
    'message 9 came without the id of its operation',
  ]);
});

test('an id that is not the one that the sender was told is a fault, whoever hears of it first', () => {
  const { faults, check, reader, give } = setUp(1);
  const one = reader('operation-1');
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
    'message 9 is another for one and M9 for the other',
    'message 10 is M10 for one and another for the other',
  ]);
});

test('two texts are shown around their first difference, wherever it is', () => {
  expect(difference('same', 'same!')).toBe('same! instead of same');
  const [before, after] = ['x'.repeat(50), 'y'.repeat(50)];
  expect(difference(`${before}1${after}`, `${before}2${after}`)).toBe(
    `…${'x'.repeat(30)}2${'y'.repeat(29)}… instead of …${'x'.repeat(30)}1${'y'.repeat(29)}…`,
  );
});

test('what delivers nothing is not taken', () => {
  const { check, reader } = setUp();
  const bytes = Buffer.from('{"type":"connection_ack"}');
  expect(check.take(reader('operation-1'), bytes, 0, bytes.length)).toBeNull();
});

test("a text tells when it was sent, and texts are all of one size; others' tell nothing", () => {
  expect(sentAtOf(textOf(123456.789))).toBe(123456.789);
  expect(textOf(0).length).toBe(textOf(9999999.999).length);
  expect(sentAtOf('Hello')).toBeNaN();
});
