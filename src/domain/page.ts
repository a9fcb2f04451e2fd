import { decodeMessageCursor, decodeRoomCursor, type MessageCursor, type RoomCursor } from './cursor.js';
import { BadUserInputError } from './errors.js';

/** The arguments of a GraphQL connection. */
export interface ConnectionArguments {
  readonly first?: number | null | undefined;
  readonly after?: string | null | undefined;
  readonly last?: number | null | undefined;
  readonly before?: string | null | undefined;
}

/** Selects a page: at most `size` rows between the two cursors, counted from the start or from the end. */
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

/** A page of a list, always in the order of the list, whichever end it was read from. */
export interface Page<Item> {
  readonly items: readonly Item[];
  readonly hasNextPage: boolean;
  readonly hasPreviousPage: boolean;
}

export const DEFAULT_PAGE_SIZE = 50;
export const MAX_PAGE_SIZE = 100;

/** The range of a page of messages. Without arguments, the newest messages. */
export function messageRange(args: ConnectionArguments, roomId: string): MessageRange {
  return range(args, 'end', (text, argument) => decodeMessageCursor(text, roomId, argument));
}

/** The range of a page of rooms. Without arguments, the first rooms. */
export function listRange(args: ConnectionArguments): ListRange {
  return range(args, 'start', decodeRoomCursor);
}

/** @throws BadUserInputError with the argument's name. */
function range<Cursor>(
  { first, after, last, before }: ConnectionArguments,
  defaultFrom: 'start' | 'end',
  decode: (text: string, argument: string) => Cursor,
): Range<Cursor> {
  if (first != null && last != null)
    throw new BadUserInputError('last', 'Pass either `first` or `last`, not both.');
  const from =
    first != null
      ? 'start'
      : last != null
        ? 'end'
        : after != null
          ? 'start'
          : before != null
            ? 'end'
            : defaultFrom;
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
      `\`${argument}\` must be between 0 and ${MAX_PAGE_SIZE}, but is ${value}.`,
    );
  return value;
}
