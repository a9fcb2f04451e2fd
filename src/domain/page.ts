import { decodeMessageCursor, decodeRoomCursor, type MessageCursor, type RoomCursor } from './cursor.js';
import { BadUserInputError } from './errors.js';

/** The arguments of every connection. */
export interface ConnectionArguments {
  readonly first?: number | null | undefined;
  readonly after?: string | null | undefined;
  readonly last?: number | null | undefined;
  readonly before?: string | null | undefined;
}

/** Which rows of a list a page holds: `size` of them, from one end of what lies between the two cursors. */
export interface Range<Cursor> {
  readonly from: 'start' | 'end';
  readonly size: number;
  /** Exclusive. */
  readonly after: Cursor | null;
  /** Exclusive. */
  readonly before: Cursor | null;
}
export type MessageRange = Range<MessageCursor>;
export type ListRange = Range<RoomCursor>;

/** A page of a list, by the list's own order whichever end it was read from. */
export interface Page<Item> {
  readonly items: readonly Item[];
  readonly hasNextPage: boolean;
  readonly hasPreviousPage: boolean;
}

export const DEFAULT_PAGE_SIZE = 50;
export const MAX_PAGE_SIZE = 100;

/** Of messages, the newest where neither end is asked for. */
export function messageRange(args: ConnectionArguments, roomId: string): MessageRange {
  return range(args, 'end', (text, argument) => decodeMessageCursor(text, roomId, argument));
}

/** Of rooms, the first where neither end is asked for. */
export function listRange(args: ConnectionArguments): ListRange {
  return range(args, 'start', decodeRoomCursor);
}

/** @throws BadUserInputError naming the argument. */
function range<Cursor>(
  { first, after, last, before }: ConnectionArguments,
  natural: 'start' | 'end',
  decode: (text: string, argument: string) => Cursor,
): Range<Cursor> {
  if (first != null && last != null)
    throw new BadUserInputError('last', 'Give either `first` or `last`, not both.');
  const from =
    first != null
      ? 'start'
      : last != null
        ? 'end'
        : after != null
          ? 'start'
          : before != null
            ? 'end'
            : natural;
  return {
    from,
    size: size(first ?? last ?? DEFAULT_PAGE_SIZE, from === 'start' ? 'first' : 'last'),
    after: after == null ? null : decode(after, 'after'),
    before: before == null ? null : decode(before, 'before'),
  };
}

function size(value: number, argument: string): number {
  if (value < 0 || value > MAX_PAGE_SIZE)
    throw new BadUserInputError(
      argument,
      `\`${argument}\` must lie between 0 and ${MAX_PAGE_SIZE}; it is ${value}.`,
    );
  return value;
}
