import { expect, test } from 'vitest';
import { encodeMessageCursor, encodeRoomCursor } from '../../../src/domain/cursor.js';
import { BadUserInputError } from '../../../src/domain/errors.js';
import { type ConnectionArguments, listRange, messageRange } from '../../../src/domain/page.js';

const roomId = '01976b3a-0000-7000-8000-0000000000ff';
const cursor = { roomId, epoch: '00ff00ff00ff00ff', seq: 7, rev: null };
const c = encodeMessageCursor(cursor);
const roomCursor = { roomId, lastActivityAt: 1_764_035_340_000 };
const r = encodeRoomCursor(roomCursor);

test.each<[ConnectionArguments, 'start' | 'end', number]>([
  [{}, 'end', 50],
  [{ first: null, after: null, last: null, before: null }, 'end', 50],
  [{ first: 0 }, 'start', 0],
  [{ last: 100 }, 'end', 100],
  [{ after: c }, 'start', 50],
  [{ before: c }, 'end', 50],
  [{ after: c, before: c }, 'start', 50],
  [{ last: 3, after: c }, 'end', 3],
  [{ first: 3, before: c }, 'start', 3],
])('reads messages for %j from the %s, at most %d', (args, from, size) => {
  expect(messageRange(args, roomId)).toEqual({
    from,
    size,
    after: args.after ? cursor : null,
    before: args.before ? cursor : null,
  });
});

test.each<[ConnectionArguments, 'start' | 'end', number]>([
  [{}, 'start', 50],
  [{ last: 1 }, 'end', 1],
  [{ before: r }, 'end', 50],
  [{ after: r }, 'start', 50],
])('reads rooms for %j from the %s, at most %d', (args, from, size) => {
  expect(listRange(args)).toEqual({
    from,
    size,
    after: args.after ? roomCursor : null,
    before: args.before ? roomCursor : null,
  });
});

test.each<[ConnectionArguments, string]>([
  [{ first: 1, last: 1 }, 'last'],
  [{ first: 0, last: 0 }, 'last'],
  [{ first: -1 }, 'first'],
  [{ first: 101 }, 'first'],
  [{ last: -1 }, 'last'],
  [{ last: 101 }, 'last'],
  [{ after: 'x' }, 'after'],
  [{ before: 'x' }, 'before'],
])('rejects %j, and names the argument `%s`', (args, argument) => {
  for (const read of [() => listRange(args), () => messageRange(args, roomId)]) {
    expect(read).toThrow(BadUserInputError);
    expect(read).toThrow(expect.objectContaining({ argument }));
  }
});
