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

/** The argument that the BadUserInputError names, or `none` if the cursor is accepted. */
function rejectedArgument(decode: () => unknown): string {
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
])('decodes a message cursor to what was encoded: %j', (cursor) => {
  const text = encodeMessageCursor(cursor);
  expect(decodeMessageCursor(text, roomId, 'after')).toEqual(cursor);
  expect(text).toMatch(/^[\w-]+$/);
});

test.each([0, room.lastActivityAt, Date.parse('9999-12-31T23:59:59.999Z')])(
  'decodes a room cursor to what was encoded: %d',
  (lastActivityAt) => {
    const cursor = { lastActivityAt, roomId };
    expect(decodeRoomCursor(encodeRoomCursor(cursor), 'before')).toEqual(cursor);
  },
);

const validCursor = encodeMessageCursor(message);
test.each([
  ['empty', ''],
  ['not base64url', '%%%'],
  ['with a NUL', `${validCursor}\0`],
  ['with a space', ` ${validCursor}`],
  ['with padding', `${validCursor}=`],
  ['too short', validCursor.slice(0, -4)],
  ['too long', `${validCursor}AAAA`],
  ['of an unknown kind', Buffer.from(`x${'0'.repeat(30)}`).toString('base64url')],
  ['of a list of rooms', encodeRoomCursor(room)],
  ['of another room', encodeMessageCursor({ ...message, roomId: otherRoomId })],
])('rejects a message cursor that is %s, and names its argument', (_, text) => {
  expect(rejectedArgument(() => decodeMessageCursor(text, roomId, 'after'))).toBe('after');
});

describe('binary form', () => {
  // Valid content for every kind of cursor: the time at the start of a UUIDv7 is also a valid activity time.
  const content = Buffer.concat([uuidToBytes(roomId), Buffer.from(epoch, 'hex'), Buffer.alloc(40)]);

  function cursorOf(kind: string, length: number): string {
    return Buffer.concat([Buffer.from(kind), content])
      .subarray(0, length)
      .toString('base64url');
  }

  /** The lengths, in bytes, at which a cursor of this kind is accepted. */
  function acceptedLengths(kind: string, decode: (text: string) => unknown): number[] {
    return Array.from({ length: 1 + content.length }, (_, index) => index + 1).filter(
      (length) => rejectedArgument(() => decode(cursorOf(kind, length))) === 'none',
    );
  }

  test.each([
    { kind: 'm', message: [31], position: [], room: [] },
    { kind: 'p', message: [37], position: [37], room: [] },
    { kind: 'r', message: [], position: [], room: [23] },
    { kind: 'M', message: [], position: [], room: [] },
    { kind: 'x', message: [], position: [], room: [] },
    { kind: '\0', message: [], position: [], room: [] },
  ])('accepts a cursor of kind $kind only at its own length', ({ kind, ...accepted }) => {
    expect({
      message: acceptedLengths(kind, (text) => decodeMessageCursor(text, roomId, 'after')),
      position: acceptedLengths(kind, (text) => decodePositionCursor(text, roomId, 'after')),
      room: acceptedLengths(kind, (text) => decodeRoomCursor(text, 'before')),
    }).toEqual(accepted);
  });
});

test('accepts only a position where the changes that were seen matter', () => {
  expect(decodePositionCursor(encodeMessageCursor(position), roomId, 'after')).toEqual(position);
  expect(rejectedArgument(() => decodePositionCursor(encodeMessageCursor(message), roomId, 'after'))).toBe(
    'after',
  );
});

test.each([
  ['empty', ''],
  ['garbage', 'garbage'],
  ['of messages', validCursor],
  ['too short', encodeRoomCursor(room).slice(0, -4)],
  // Postgres and ISO 8601 have no such year with four digits.
  ['of a time after the year 9999', encodeRoomCursor({ roomId, lastActivityAt: 2 ** 48 - 1 })],
])('rejects a room cursor that is %s, and names its argument', (_, text) => {
  expect(rejectedArgument(() => decodeRoomCursor(text, 'before'))).toBe('before');
});

test('reports a gap for a cursor of another epoch, or beyond the head', () => {
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
