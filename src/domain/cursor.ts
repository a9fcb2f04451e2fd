import { BadUserInputError, HistoryGapError, type HistoryGapReason } from './errors.js';
import { bytesToUuid, uuidToBytes } from './id.js';
import type { Head } from './position.js';

/**
 * A decoded cursor of a room's messages.
 *
 * With `rev` null it is a message's own cursor, which is the same text wherever the message appears. With a `rev` it is a
 * position, which also records which changes of older messages the client has seen.
 */
export interface MessageCursor {
  readonly roomId: string;
  readonly epoch: string;
  readonly seq: number;
  readonly rev: number | null;
}

/** A decoded cursor of a list of rooms by activity. It stays valid while rooms move within the list. */
export interface RoomCursor {
  /** Milliseconds since 1970. */
  readonly lastActivityAt: number;
  readonly roomId: string;
}

// The first byte is both kind and version: a later format takes a new letter, and the old ones stay readable.
const MESSAGE_KIND = 'm'.charCodeAt(0);
const POSITION_KIND = 'p'.charCodeAt(0);
const ROOM_KIND = 'r'.charCodeAt(0);
const NUMBER_BYTES = 6;
const UUID_BYTES = 16;
const EPOCH_BYTES = 8;
const SEQ_OFFSET = 1 + UUID_BYTES + EPOCH_BYTES;
/** `seq` is a 32-bit integer in GraphQL and in Postgres, which rejects larger values. */
const MAX_SEQ = 2 ** 31 - 1;
/** The last instant of the year 9999: SQL and ISO 8601 have no later one with a year of four digits. */
const MAX_ACTIVITY_AT_MS = Date.parse('9999-12-31T23:59:59.999Z');

/** Encodes kind, room, epoch, `seq` and, for a position, `rev`. Opaque to clients and URL-safe. */
export function encodeMessageCursor({ roomId, epoch, seq, rev }: MessageCursor): string {
  const bytes = Buffer.alloc(SEQ_OFFSET + (rev === null ? NUMBER_BYTES : 2 * NUMBER_BYTES));
  bytes[0] = rev === null ? MESSAGE_KIND : POSITION_KIND;
  bytes.set(uuidToBytes(roomId), 1);
  bytes.write(epoch, 1 + UUID_BYTES, 'hex');
  bytes.writeUIntBE(seq, SEQ_OFFSET, NUMBER_BYTES);
  if (rev !== null) bytes.writeUIntBE(rev, SEQ_OFFSET + NUMBER_BYTES, NUMBER_BYTES);
  return bytes.toString('base64url');
}

/**
 * Decodes a cursor of the given room: a message's own cursor or a position.
 *
 * @throws BadUserInputError with the argument's name if the cursor is malformed, of another kind or of another room.
 */
export function decodeMessageCursor(text: string, roomId: string, argument: string): MessageCursor {
  const bytes = decode(text, argument);
  const length = {
    [MESSAGE_KIND]: SEQ_OFFSET + NUMBER_BYTES,
    [POSITION_KIND]: SEQ_OFFSET + 2 * NUMBER_BYTES,
  }[bytes[0] ?? 0];
  if (bytes.length !== length) throw notAMessageCursor(argument);
  const cursor = {
    roomId: bytesToUuid(bytes.subarray(1, 1 + UUID_BYTES)),
    epoch: bytes.toString('hex', 1 + UUID_BYTES, SEQ_OFFSET),
    seq: bytes.readUIntBE(SEQ_OFFSET, NUMBER_BYTES),
    rev: bytes[0] === POSITION_KIND ? bytes.readUIntBE(SEQ_OFFSET + NUMBER_BYTES, NUMBER_BYTES) : null,
  };
  if (cursor.seq > MAX_SEQ) throw notAMessageCursor(argument);
  if (cursor.roomId !== roomId)
    throw new BadUserInputError(
      argument,
      `\`${argument}\` is a cursor of another room. Pass a cursor of this room.`,
    );
  return cursor;
}

/**
 * Decodes a position of the given room.
 *
 * @throws BadUserInputError as `decodeMessageCursor` does, and for a message's own cursor, which does not record which
 *   changes of older messages the client has seen.
 */
export function decodePositionCursor(text: string, roomId: string, argument: string): MessageCursor {
  const cursor = decodeMessageCursor(text, roomId, argument);
  if (cursor.rev === null)
    throw new BadUserInputError(
      argument,
      `\`${argument}\` must be a \`liveCursor\` or the \`cursor\` of a room event. The \`cursor\` of an edge does not record which changes you have seen.`,
    );
  return cursor;
}

/** Returns why the history after a cursor is not available; null if it is. */
export function historyGapAfter(cursor: MessageCursor, epoch: string, head: Head): HistoryGapReason | null {
  const isAhead = cursor.seq > head.seq || (cursor.rev !== null && cursor.rev > head.rev);
  return cursor.epoch !== epoch || isAhead ? 'RESET' : null;
}

/** @throws HistoryGapError if the history after the cursor is not available. */
export function assertWithinHistory(cursor: MessageCursor, epoch: string, head: Head): void {
  const gap = historyGapAfter(cursor, epoch, head);
  if (gap) throw new HistoryGapError(gap);
}

export function encodeRoomCursor({ lastActivityAt, roomId }: RoomCursor): string {
  const bytes = Buffer.alloc(1 + NUMBER_BYTES + UUID_BYTES);
  bytes[0] = ROOM_KIND;
  bytes.writeUIntBE(lastActivityAt, 1, NUMBER_BYTES);
  bytes.set(uuidToBytes(roomId), 1 + NUMBER_BYTES);
  return bytes.toString('base64url');
}

/** @throws BadUserInputError with the argument's name if the cursor is malformed or of another kind. */
export function decodeRoomCursor(text: string, argument: string): RoomCursor {
  const bytes = decode(text, argument);
  const hasLength = bytes.length === 1 + NUMBER_BYTES + UUID_BYTES;
  const lastActivityAt = hasLength ? bytes.readUIntBE(1, NUMBER_BYTES) : null;
  if (bytes[0] !== ROOM_KIND || lastActivityAt === null || lastActivityAt > MAX_ACTIVITY_AT_MS)
    throw new BadUserInputError(
      argument,
      `\`${argument}\` is not a cursor of a list of rooms. Pass the \`cursor\` of a room's edge.`,
    );
  return { lastActivityAt, roomId: bytesToUuid(bytes.subarray(1 + NUMBER_BYTES)) };
}

function decode(text: string, argument: string): Buffer {
  const bytes = Buffer.from(text, 'base64url');
  // Node.js ignores invalid characters, so a text that does not encode to itself again was not created by us.
  if (bytes.length === 0 || bytes.toString('base64url') !== text)
    throw new BadUserInputError(
      argument,
      `\`${argument}\` is not a valid cursor. Pass a cursor exactly as the server returned it.`,
    );
  return bytes;
}

function notAMessageCursor(argument: string): BadUserInputError {
  return new BadUserInputError(
    argument,
    `\`${argument}\` is not a cursor of a room's messages. Pass the \`cursor\` of an edge or event, or a \`liveCursor\`.`,
  );
}
