import { describe, expect, test } from 'vitest';
import {
  assertWithinHistory,
  decodeMessageCursor,
  decodePositionCursor,
  decodeRoomCursor,
  encodeMessageCursor,
  encodeRoomCursor,
} from '../../../src/domain/cursor.js';
import { BadUserInputError, HistoryGapError } from '../../../src/domain/errors.js';
import { uuidToBytes } from '../../../src/domain/id.js';

const roomId = '01976b3a-0000-7000-8000-0000000000ff';
const otherRoomId = '01976b3a-0000-7000-8000-0000000000fe';
const epoch = '00ff00ff00ff00ff';
const message = { roomId, epoch, seq: 7, rev: null };
const position = { roomId, epoch, seq: 7, rev: 9 };
const room = { lastActivityAt: 1_764_035_340_000, roomId };

/** What a broken cursor is told. */
function refusal(decode: () => unknown): string {
  try {
    decode();
  } catch (error) {
    if (error instanceof BadUserInputError) return error.argument;
    throw error;
  }
  return 'none';
}

test.each([
  message,
  position,
  { ...position, seq: 0, rev: 0 },
  { ...position, seq: 2 ** 31 - 1, rev: 2 ** 48 - 1 },
])('a place in a room survives its cursor: %j', (cursor) => {
  const text = encodeMessageCursor(cursor);
  expect(decodeMessageCursor(text, roomId, 'after')).toEqual(cursor);
  expect(text).toMatch(/^[\w-]+$/);
});

test.each([0, room.lastActivityAt, Date.parse('9999-12-31T23:59:59.999Z')])(
  'a place in a list of rooms survives its cursor: %d',
  (lastActivityAt) => {
    const cursor = { lastActivityAt, roomId };
    expect(decodeRoomCursor(encodeRoomCursor(cursor), 'before')).toEqual(cursor);
  },
);

const good = encodeMessageCursor(message);
test.each([
  ['empty', ''],
  ['no base64url', '%%%'],
  ['with a NUL', `${good}\0`],
  ['with a space', ` ${good}`],
  ['with padding', `${good}=`],
  ['cut short', good.slice(0, -4)],
  ['too long', `${good}AAAA`],
  ['of an unknown kind', Buffer.from(`x${'0'.repeat(30)}`).toString('base64url')],
  ['of a list of rooms', encodeRoomCursor(room)],
  ['of another room', encodeMessageCursor({ ...message, roomId: otherRoomId })],
])('a cursor of messages that is %s is bad input by the name of its argument', (_, text) => {
  expect(refusal(() => decodeMessageCursor(text, roomId, 'after'))).toBe('after');
});

describe('the bytes of a cursor', () => {
  // A UUIDv7 begins with its time, so that these bytes are valid for every kind that has the right length.
  const content = Buffer.concat([uuidToBytes(roomId), Buffer.from(epoch, 'hex'), Buffer.alloc(40)]);

  function cursorOf(kind: string, length: number): string {
    return Buffer.concat([Buffer.from(kind), content])
      .subarray(0, length)
      .toString('base64url');
  }

  /** The lengths, in bytes, at which a cursor of this kind is accepted. */
  function acceptedLengths(kind: string, decode: (text: string) => unknown): number[] {
    return Array.from({ length: 1 + content.length }, (_, index) => index + 1).filter(
      (length) => refusal(() => decode(cursorOf(kind, length))) === 'none',
    );
  }

  test.each([
    { kind: 'm', message: [31], position: [], room: [] },
    { kind: 'p', message: [37], position: [37], room: [] },
    { kind: 'r', message: [], position: [], room: [23] },
    { kind: 'M', message: [], position: [], room: [] },
    { kind: 'x', message: [], position: [], room: [] },
    { kind: '\0', message: [], position: [], room: [] },
  ])('of kind $kind are accepted at no other length', ({ kind, ...accepted }) => {
    expect({
      message: acceptedLengths(kind, (text) => decodeMessageCursor(text, roomId, 'after')),
      position: acceptedLengths(kind, (text) => decodePositionCursor(text, roomId, 'after')),
      room: acceptedLengths(kind, (text) => decodeRoomCursor(text, 'before')),
    }).toEqual(accepted);
  });
});

test('only a position says which changes were seen', () => {
  expect(decodePositionCursor(encodeMessageCursor(position), roomId, 'after')).toEqual(position);
  expect(refusal(() => decodePositionCursor(encodeMessageCursor(message), roomId, 'after'))).toBe('after');
});

test.each([
  ['empty', ''],
  ['garbage', 'garbage'],
  ['of messages', good],
  ['cut short', encodeRoomCursor(room).slice(0, -4)],
  // Postgres and ISO 8601 know no such year in four digits.
  ['of a time after the year 9999', encodeRoomCursor({ roomId, lastActivityAt: 2 ** 48 - 1 })],
])('a cursor of rooms that is %s is bad input by the name of its argument', (_, text) => {
  expect(refusal(() => decodeRoomCursor(text, 'before'))).toBe('before');
});

test('a cursor of another history, or of what the database does not hold, is a gap', () => {
  expect(() => assertWithinHistory(message, epoch, { seq: 7, rev: 7 })).not.toThrow();
  for (const check of [
    () => assertWithinHistory(message, epoch, { seq: 6, rev: 9 }),
    () => assertWithinHistory(position, epoch, { seq: 7, rev: 8 }),
    () => assertWithinHistory(message, '11ff00ff00ff00ff', { seq: 7, rev: 9 }),
  ]) {
    expect(check).toThrow(HistoryGapError);
    expect(check).toThrow(expect.objectContaining({ reason: 'RESET' }));
  }
});
