import type { MessageRef } from '../verdict/check.js';
import type { Operations } from './operations.js';

/** A message as pages and events contain it. */
export interface CopiedMessage extends MessageRef {
  readonly id: string;
  readonly type: string;
  readonly text: string;
  readonly revision: number;
}

export interface CopiedEvent {
  readonly __typename: string;
  readonly cursor: string;
  readonly edge?: { readonly node: CopiedMessage };
  readonly message?: CopiedMessage;
}

interface Page {
  readonly roomMessages: {
    readonly edges: readonly { readonly node: CopiedMessage }[];
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

/** The subscription that keeps a copy of a room up to date. */
export const EVENTS = `subscription ($roomId: ID!, $after: String) {
  roomEvents(roomId: $roomId, after: $after) {
    __typename cursor
    ... on MessageAddedEvent { edge { node { ${FIELDS} } } }
    ... on MessageChangedEvent { message { ${FIELDS} } }
  }
}`;

/** A client's copy of a room. */
export interface RoomCopy {
  /** The cursor to resume from. */
  readonly cursor: string;
  /** The `seq` of the last message on its first page. */
  readonly after: number;
  /** The messages that events have added, in the order of arrival. */
  readonly seen: readonly MessageRef[];
  apply(event: CopiedEvent): void;
  /** All messages in `seq` order, as text for comparisons. */
  text(): string;
}

/**
 * Copies a whole room: reads the newest page, keeps its position, and then reads the older pages. Changes in the meantime
 * arrive with the events after that position. Of two copies of a message it keeps the one with the higher revision, as
 * documented.
 */
export async function copyRoom(operations: Operations, roomId: string): Promise<RoomCopy> {
  const messages = new Map<string, CopiedMessage>();
  const keep = (message: CopiedMessage): void => {
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
  const seen: MessageRef[] = [];
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
