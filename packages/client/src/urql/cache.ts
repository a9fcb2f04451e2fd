import type { Cache, CacheExchangeOpts, Resolver, UpdateResolver } from '@urql/exchange-graphcache';
import { embeddedTypes, possibleTypes } from '../schema-types.js';
import { addMessage, addPage, forgetRoom, readRoom } from './room.js';

type Args = Readonly<Record<string, unknown>>;
interface WithEdge {
  readonly edge?: { readonly cursor?: unknown; readonly node?: unknown } | null;
}

/** The name of the operation by which the exchange reports that the history of a room was replaced; never sent. */
export const HISTORY_REPLACED = 'parleyHistoryReplaced';

/** The list of a room, which `roomMessages` shows by any arguments, and `Room.messages`. */
function readList(roomIdOf: (args: Args, cache: Cache, parentKey: string) => unknown): Resolver {
  return (_parent, args, cache, info) => {
    const own = cache.resolve(info.parentKey, info.fieldName, args);
    // No such room.
    if (own === null) return null;
    const list = readRoom(cache, String(roomIdOf(args, cache, info.parentKey)));
    // The page itself is still missing: the list is shown meanwhile.
    if (list && own === undefined) info.partial = true;
    // graphcache takes keys of entities where its type has objects.
    return list as ReturnType<Resolver>;
  };
}

function addPageOf(roomIdOf: (args: Args, cache: Cache, parentKey: string) => unknown): UpdateResolver {
  return (_result, args, cache, info) =>
    addPage(cache, String(roomIdOf(args, cache, info.parentKey)), info.parentKey, info.fieldName, args);
}

const roomIdOfQuery = (args: Args): unknown => args.roomId;
const roomIdOfRoom = (_args: Args, cache: Cache, parentKey: string): unknown =>
  cache.resolve(parentKey, 'id');

/** The author of an optimistic message, as far as the cache knows the viewer. */
function viewerOf(cache: Cache): object | null {
  const viewer = cache.resolve('Query', 'viewer');
  const user = typeof viewer === 'string' ? cache.resolve(viewer, 'user') : null;
  if (typeof user !== 'string') return null;
  const fields = ['id', 'username', 'displayName', 'avatarUrl', 'createdAt'];
  const known = fields.map((name) => [name, cache.resolve(user, name)] as const);
  return { __typename: 'User', ...Object.fromEntries(known.filter(([, value]) => value !== undefined)) };
}

/**
 * How graphcache keeps what Parley delivers: options for `cacheExchange`. The messages of a room are one list, whatever the
 * pagination arguments: pages, live messages and sent ones, each once, in `seq` order. The `liveCursor` stays that of the
 * page without a cursor. An optimistic message has a `seq` of 0 and comes last.
 */
export const parleyCache = {
  possibleTypes,
  keys: Object.fromEntries(embeddedTypes.map((name) => [name, () => null])),
  resolvers: {
    Query: { roomMessages: readList(roomIdOfQuery) },
    Room: { messages: readList(roomIdOfRoom) },
  },
  updates: {
    Query: { roomMessages: addPageOf(roomIdOfQuery) },
    Room: { messages: addPageOf(roomIdOfRoom) },
    Subscription: {
      messageAdded: ({ messageAdded }: { messageAdded?: WithEdge['edge'] }, { roomId }: Args, cache: Cache) =>
        addMessage(cache, String(roomId), messageAdded ?? null),
      roomEvents: ({ roomEvents }: { roomEvents?: WithEdge }, { roomId }: Args, cache: Cache) =>
        addMessage(cache, String(roomId), roomEvents?.edge ?? null),
    },
    Mutation: {
      sendMessage: (
        { sendMessage }: { sendMessage?: WithEdge },
        { input }: { input?: { roomId?: unknown } },
        cache: Cache,
      ) => addMessage(cache, String(input?.roomId), sendMessage?.edge ?? null),
      [HISTORY_REPLACED]: (_result: unknown, { roomId }: Args, cache: Cache) =>
        forgetRoom(cache, String(roomId)),
    },
  },
  optimistic: {
    sendMessage({ input }: { input?: { text?: unknown; clientMessageId?: unknown } }, cache: Cache) {
      const { text, clientMessageId } = input ?? {};
      const node = {
        __typename: 'Message',
        id: `optimistic:${clientMessageId}`,
        seq: 0,
        revision: 0,
        type: 'TEXT',
        text,
        clientMessageId,
        createdAt: new Date().toISOString(),
        author: viewerOf(cache),
      };
      const edge = { __typename: 'MessageEdge', cursor: '', node };
      return { __typename: 'SendMessagePayload', edge };
    },
  },
} satisfies Partial<CacheExchangeOpts>;
