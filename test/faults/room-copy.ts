import type { Placed } from './check.js';
import type { Operations } from './operations.js';

/** A message as a page and as an event show it. */
export interface Shown extends Placed {
  readonly id: string;
  readonly type: string;
  readonly text: string;
  readonly revision: number;
}

export interface CopiedEvent {
  readonly __typename: string;
  readonly cursor: string;
  readonly edge?: { readonly node: Shown };
  readonly message?: Shown;
}

interface Page {
  readonly roomMessages: {
    readonly edges: readonly { readonly node: Shown }[];
    readonly pageInfo: { readonly hasPreviousPage: boolean; readonly startCursor: string | null };
    readonly liveCursor: string;
  };
}

const FIELDS = 'id seq type text revision clientMessageId';
const PAGE = `query ($roomId: ID!, $before: String) {
  roomMessages(roomId: $roomId, last: 25, before: $before) {
    edges { node { ${FIELDS} } } pageInfo { hasPreviousPage startCursor } liveCursor
  }
}`;

/** What a client asks for to keep its copy of a room in step. */
export const EVENTS = `subscription ($roomId: ID!, $after: String) {
  roomEvents(roomId: $roomId, after: $after) {
    __typename cursor
    ... on MessageAddedEvent { edge { node { ${FIELDS} } } }
    ... on MessageChangedEvent { message { ${FIELDS} } }
  }
}`;

/** A client's copy of a room. */
export interface RoomCopy {
  /** Where to go on. */
  readonly cursor: string;
  /** The last message of the page that it began with. */
  readonly after: number;
  /** Messages that were added by events, as they came. */
  readonly seen: readonly Placed[];
  apply(event: CopiedEvent): void;
  /** All messages by `seq`, as text that can be compared. */
  text(): string;
}

/**
 * A copy of the whole room: its newest page, whose position it keeps, and then the older ones. What changes meanwhile comes
 * with the events from that position. Of two copies of a message it keeps the one with the higher revision, as documented.
 */
export async function copyRoom(operations: Operations, roomId: string): Promise<RoomCopy> {
  const messages = new Map<string, Shown>();
  const keep = (message: Shown): void => {
    const known = messages.get(message.id);
    if (!known || known.revision < message.revision) messages.set(message.id, message);
  };
  const read = async (before: string | null): Promise<Page['roomMessages']> => {
    const { roomMessages: page } = await operations.request<Page>(PAGE, { roomId, before });
    for (const { node } of page.edges) keep(node);
    return page;
  };

  const newest = await read(null);
  for (let page = newest; page.pageInfo.hasPreviousPage; page = await read(page.pageInfo.startCursor));
  const seen: Placed[] = [];
  let cursor = newest.liveCursor;
  return {
    get cursor() {
      return cursor;
    },
    after: newest.edges.at(-1)?.node.seq ?? 0,
    seen,
    apply({ cursor: position, edge, message }) {
      cursor = position;
      if (edge) seen.push(edge.node);
      const shown = edge?.node ?? message;
      if (shown) keep(shown);
    },
    text: () =>
      [...messages.values()]
        .sort((a, b) => a.seq - b.seq)
        .map(({ seq, id, type, revision, text }) => [seq, id, type, revision, text].join(' '))
        .join('\n'),
  };
}
