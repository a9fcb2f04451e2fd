import type { FieldFunctionOptions, FieldPolicy, Reference, TypePolicies } from '@apollo/client';
import { ParleyError } from '../errors.js';
import { LIVE, PENDING, writeLive } from './live.js';
import { addLive, addPage, type CachedEdge, type MessageList, type Page } from './message-list.js';

type ReadField = <Value>(name: string, from?: Reference) => Value | undefined;

/** A result of `sendMessage`, or an event of `roomEvents`: an edge, if it has a message. */
interface WithEdge {
  readonly edge?: CachedEdge;
}

/**
 * The messages of a room as one list in `seq` order: pages in any direction, and messages that subscriptions and
 * `sendMessage` deliver, each once, whichever comes first.
 */
function messages(keyArgs: ['roomId'] | false): FieldPolicy<MessageList | null, Page | null, Page | null> {
  return {
    keyArgs,
    // A refetch is merged too, so it cannot remove what a subscription delivered meanwhile.
    merge(existing, incoming, { args, existingData, readField }) {
      // The cache keeps here what this function has returned.
      const list = (existing ?? existingData ?? undefined) as MessageList | undefined;
      // A later page may fail; the list stays. Without a cursor, there is no such room.
      if (!incoming) return args?.after || args?.before ? (list ?? null) : null;
      if (args?.after === LIVE) return addLive(list, incoming.edges ?? [], (node) => readField('seq', node));
      return addPage(list, incoming, (node) => requireSeq(readField<number>('seq', node)));
    },
    read(list, { args, canRead, readField, toReference }) {
      if (!list) return list;
      const { known, pagedTo, pageInfo, liveCursor, __typename } = list;
      const read = {
        __typename,
        ...(pageInfo && { pageInfo }),
        ...(liveCursor !== undefined && { liveCursor }),
      };
      // Only live messages are known: a query for messages has to ask the server.
      if (pagedTo === null) return read;
      const roomId = args?.roomId ?? readField<string>('id');
      const holder = toReference({ __typename: PENDING, id: roomId });
      const pending = readField<readonly CachedEdge[]>('edges', holder) ?? [];
      const isComplete = known.every(({ node }) => canRead(node));
      const stored = isComplete ? known : known.filter(({ node }) => canRead(node));
      const edges = pending.length === 0 ? stored : [...stored, ...unsent(pending, stored, readField)];
      return { ...read, edges, nodes: edges.map(({ node }) => node) };
    },
  };
}

function requireSeq(seq: number | undefined): number {
  if (seq !== undefined) return seq;
  throw new ParleyError(
    'BAD_USER_INPUT',
    'A page of messages needs `node { id seq }`: messages are merged by them.',
  );
}

/** The optimistic messages of which the stored copy has not arrived. */
function unsent(
  pending: readonly CachedEdge[],
  stored: readonly CachedEdge[],
  readField: ReadField,
): readonly CachedEdge[] {
  const keyOf = ({ node }: CachedEdge): string | undefined => readField('clientMessageId', node);
  const authorOf = ({ node }: CachedEdge): string | undefined => readField<Reference>('author', node)?.__ref;
  return pending.filter((edge) => {
    const key = keyOf(edge);
    const author = authorOf(edge);
    const isCopy = (other: CachedEdge): boolean =>
      keyOf(other) === key && (authorOf(other) ?? author) === (author ?? authorOf(other));
    return !key || !stored.some(isCopy);
  });
}

/** What a subscription delivers, or a mutation returns: the message goes to the lists of its room. */
function live<Incoming extends CachedEdge | WithEdge>(
  edgeOf: (incoming: Incoming) => CachedEdge | undefined,
  roomIdOf: (args: FieldFunctionOptions['args']) => unknown,
): FieldPolicy<Incoming> {
  return {
    // Only the latest is kept.
    keyArgs: false,
    merge(_, incoming, { args, cache, readField }) {
      const edge = edgeOf(incoming);
      const roomId = roomIdOf(args);
      if (edge && typeof roomId === 'string') writeLive(cache, roomId, edge, readField);
      return incoming;
    },
  };
}

/**
 * How `InMemoryCache` keeps what Parley delivers, for its option `typePolicies`. The messages of a room are one list,
 * whatever the pagination arguments: pages, live messages and sent ones are merged by `seq`, each message once. The
 * `liveCursor` stays that of the first page. An optimistic message has a `seq` of 0; it comes last, and gives way to the
 * stored message with its `clientMessageId`.
 */
export const parleyTypePolicies: TypePolicies = {
  Query: { fields: { roomMessages: messages(['roomId']) } },
  Room: { fields: { messages: messages(false) } },
  Subscription: {
    fields: {
      messageAdded: live<CachedEdge>(
        (edge) => edge,
        (args) => args?.roomId,
      ),
      roomEvents: live<WithEdge>(
        ({ edge }) => edge,
        (args) => args?.roomId,
      ),
    },
  },
  Mutation: {
    fields: {
      sendMessage: live<WithEdge>(
        ({ edge }) => edge,
        (args) => args?.input?.roomId,
      ),
    },
  },
  [PENDING]: {
    fields: {
      edges: { merge: (existing: readonly CachedEdge[] = [], incoming) => [...existing, ...incoming] },
    },
  },
};
