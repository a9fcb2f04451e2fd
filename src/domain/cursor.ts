import { BadUserInputError, HistoryGapError, type HistoryGapReason } from './errors.js';
import { bytesToUuid, uuidToBytes } from './id.js';
import type { Head } from './position.js';

/**
 * A place in a room's history, as clients hold it.
 *
 * `rev` null: a message's own cursor, the same text wherever the message shows. With a `rev`: a position, which also
 * says which changes of older messages were seen.
 */
export interface MessageCursor {
  readonly roomId: string;
  readonly epoch: string;
  readonly seq: number;
  readonly rev: number | null;
}

/** A place in a list of rooms by activity: the list moves, the place stays where it was. */
export interface RoomCursor {
  /** Milliseconds since 1970. */
  readonly lastActivityAt: number;
  readonly roomId: string;
}

// The first byte is kind and version in one: a later form takes a new letter, and the old ones stay readable.
const MESSAGE = 'm'.charCodeAt(0);
const POSITION = 'p'.charCodeAt(0);
const ROOM = 'r'.charCodeAt(0);
const NUMBER_BYTES = 6;
const EPOCH_BYTES = 8;
const SEQ_AT = 1 + 16 + EPOCH_BYTES;
/** `seq` is an Int in GraphQL and in Postgres: no message has a larger one, and SQL takes none. */
const MAX_SEQ = 2 ** 31 - 1;
/** The last instant with a year of four digits: no room's activity is later, and no later one has a place in SQL. */
const MAX_ACTIVITY_TIME = Date.parse('9999-12-31T23:59:59.999Z');

/** Opaque to clients, URL-safe: kind, room, epoch, `seq` and, in a position, `rev`. */
export function encodeMessageCursor({ roomId, epoch, seq, rev }: MessageCursor): string {
  const bytes = Buffer.alloc(SEQ_AT + (rev === null ? NUMBER_BYTES : 2 * NUMBER_BYTES));
  bytes[0] = rev === null ? MESSAGE : POSITION;
  bytes.set(uuidToBytes(roomId), 1);
  bytes.write(epoch, 1 + 16, 'hex');
  bytes.writeUIntBE(seq, SEQ_AT, NUMBER_BYTES);
  if (rev !== null) bytes.writeUIntBE(rev, SEQ_AT + NUMBER_BYTES, NUMBER_BYTES);
  return bytes.toString('base64url');
}

/**
 * Reads a cursor of the given room back.
 *
 * @throws BadUserInputError naming the argument, where it is broken, of another kind or of another room.
 */
export function decodeMessageCursor(text: string, roomId: string, argument: string): MessageCursor {
  const bytes = decode(text, argument);
  const length = { [MESSAGE]: SEQ_AT + NUMBER_BYTES, [POSITION]: SEQ_AT + 2 * NUMBER_BYTES }[bytes[0] ?? 0];
  if (bytes.length !== length)
    throw new BadUserInputError(argument, `\`${argument}\` is not a cursor of a room's messages.`);
  const cursor = {
    roomId: bytesToUuid(bytes.subarray(1, 17)),
    epoch: bytes.toString('hex', 17, SEQ_AT),
    seq: bytes.readUIntBE(SEQ_AT, NUMBER_BYTES),
    rev: bytes[0] === POSITION ? bytes.readUIntBE(SEQ_AT + NUMBER_BYTES, NUMBER_BYTES) : null,
  };
  if (cursor.seq > MAX_SEQ)
    throw new BadUserInputError(argument, `\`${argument}\` is not a cursor of a room's messages.`);
  if (cursor.roomId !== roomId)
    throw new BadUserInputError(argument, `\`${argument}\` is a cursor of another room.`);
  return cursor;
}

/**
 * As `decodeMessageCursor`, but of a position only.
 *
 * @throws BadUserInputError naming the argument, also for a message's own cursor: it does not say which changes of older
 *   messages were seen.
 */
export function decodePositionCursor(text: string, roomId: string, argument: string): MessageCursor {
  const cursor = decodeMessageCursor(text, roomId, argument);
  if (cursor.rev === null)
    throw new BadUserInputError(
      argument,
      `\`${argument}\` must be a \`liveCursor\` or the \`cursor\` of an event: that of an edge does not say which changes were seen.`,
    );
  return cursor;
}

/** Why what lies behind a cursor can't be told; null where it can. */
export function gapBefore(cursor: MessageCursor, epoch: string, head: Head): HistoryGapReason | null {
  const isAhead = cursor.seq > head.seq || (cursor.rev !== null && cursor.rev > head.rev);
  return cursor.epoch !== epoch || isAhead ? 'RESET' : null;
}

/** @throws HistoryGapError where what lies behind the cursor can't be told. */
export function assertWithinHistory(cursor: MessageCursor, epoch: string, head: Head): void {
  const gap = gapBefore(cursor, epoch, head);
  if (gap) throw new HistoryGapError(gap);
}

export function encodeRoomCursor({ lastActivityAt, roomId }: RoomCursor): string {
  const bytes = Buffer.alloc(1 + NUMBER_BYTES + 16);
  bytes[0] = ROOM;
  bytes.writeUIntBE(lastActivityAt, 1, NUMBER_BYTES);
  bytes.set(uuidToBytes(roomId), 1 + NUMBER_BYTES);
  return bytes.toString('base64url');
}

/** @throws BadUserInputError naming the argument, where it is broken or of another kind. */
export function decodeRoomCursor(text: string, argument: string): RoomCursor {
  const bytes = decode(text, argument);
  const lastActivityAt = bytes.length === 1 + NUMBER_BYTES + 16 ? bytes.readUIntBE(1, NUMBER_BYTES) : null;
  if (bytes[0] !== ROOM || lastActivityAt === null || lastActivityAt > MAX_ACTIVITY_TIME)
    throw new BadUserInputError(argument, `\`${argument}\` is not a cursor of a list of rooms.`);
  return { lastActivityAt, roomId: bytesToUuid(bytes.subarray(1 + NUMBER_BYTES)) };
}

function decode(text: string, argument: string): Buffer {
  const bytes = Buffer.from(text, 'base64url');
  // Node skips what is not base64url: only a text that encodes to itself again was ever ours.
  if (bytes.length === 0 || bytes.toString('base64url') !== text)
    throw new BadUserInputError(argument, `\`${argument}\` is not a cursor.`);
  return bytes;
}
