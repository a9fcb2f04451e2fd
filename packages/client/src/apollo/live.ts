import type { InMemoryCache, Reference } from '@apollo/client';
import { type DocumentNode, parse } from 'graphql';
import type { CachedEdge } from './message-list.js';

/** The `after` of what is written as a live message, rather than as a page. No cursor is that short. */
export const LIVE = 'live';

/** Holds the optimistic messages of a room. A type of the cache only: the server has none of the name. */
export const PENDING = 'ParleyPendingMessages';

const EDGES = 'edges { cursor node { id } }';
const IN_QUERY: DocumentNode = /* @__PURE__ */ parse(
  `query ($roomId: ID!) { roomMessages(roomId: $roomId, after: "${LIVE}") { ${EDGES} } }`,
);
const IN_ROOM: DocumentNode = /* @__PURE__ */ parse(
  `fragment Live on Room { messages(after: "${LIVE}") { ${EDGES} } }`,
);
const IN_PENDING: DocumentNode = /* @__PURE__ */ parse(`fragment Pending on ${PENDING} { ${EDGES} }`);

type ReadField = <Value>(name: string, from: Reference) => Value | undefined;

/**
 * Adds the message of an edge that was written to the cache to the lists of its room. A message with a `seq` of 0 is
 * optimistic. It is kept apart from the lists: an optimistic change of a list would hide what others send meanwhile.
 * An edge without `cursor`, `id` or `seq` is ignored.
 */
export function writeLive(
  cache: InMemoryCache,
  roomId: string,
  { cursor, node }: CachedEdge,
  readField: ReadField,
): void {
  const id = readField<string>('id', node);
  const seq = readField<number>('seq', node);
  if (cursor === undefined || id === undefined || seq === undefined) return;
  const edges = [{ __typename: 'MessageEdge', cursor, node: { __typename: 'Message', id } }];
  if (seq === 0) {
    const pending = cache.identify({ __typename: PENDING, id: roomId });
    if (pending !== undefined)
      cache.writeFragment({ id: pending, fragment: IN_PENDING, data: { __typename: PENDING, edges } });
    return;
  }
  const connection = { __typename: 'MessageConnection', edges };
  cache.writeQuery({ query: IN_QUERY, variables: { roomId }, data: { roomMessages: connection } });
  const room = cache.identify({ __typename: 'Room', id: roomId });
  if (room !== undefined && readField('__typename', { __ref: room }) !== undefined)
    cache.writeFragment({ id: room, fragment: IN_ROOM, data: { __typename: 'Room', messages: connection } });
}
