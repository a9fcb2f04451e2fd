import type { Cache } from '@urql/exchange-graphcache';
import { ParleyError } from '../errors.js';

/*
 * What the cache knows of a room, as links of an entity of our own: the pages that were read, and the messages that
 * subscriptions and mutations delivered, each by a link of its own. graphcache keeps what is written by different operations
 * in layers, so a list as one link would hide what another layer adds to it.
 */

const PAGE = 'page';
const LIVE = 'live';
const PENDING = 'pending';

/** An entry of the list: a message, and the cursor of its edge if it is known. */
interface Entry {
  readonly key: string;
  readonly seq: number;
  readonly cursor: string | null;
}

/** An object of the cache; graphcache types what it returns as any field. */
type Key = Parameters<Cache['resolve']>[0];

const entityOf = (roomId: string): string => `ParleyRoom:${roomId}`;

/** Adds a page, given by the entity and the field that it was read by. */
export function addPage(cache: Cache, roomId: string, parent: string, field: string, args: object): void {
  const page = cache.resolve(parent, field, { ...args });
  if (typeof page !== 'string') return;
  const path = JSON.stringify([parent, field, args]);
  cache.link(entityOf(roomId), PAGE, { path }, page);
}

/** Adds a delivered message, or an optimistic one. */
export function addMessage(
  cache: Cache,
  roomId: string,
  edge: { cursor?: unknown; node?: unknown } | null,
): void {
  const key = cache.keyOfEntity(edge?.node as Key);
  if (key === null) return;
  const seq = seqOf(cache, key);
  if (seq === 0) cache.link(entityOf(roomId), PENDING, { key }, key);
  else cache.link(entityOf(roomId), LIVE, { key, cursor: edge?.cursor ?? null }, key);
}

/** Forgets the messages of a room. Queries that show them are sent again. */
export function forgetRoom(cache: Cache, roomId: string): void {
  const entity = entityOf(roomId);
  for (const { fieldName, arguments: args, fieldKey } of cache.inspectFields(entity)) {
    if (fieldName === PAGE) {
      const [parent, field, pageArgs] = JSON.parse(String(args?.path));
      cache.invalidate(parent, field, pageArgs);
    }
    cache.invalidate(entity, fieldKey);
  }
}

/**
 * The messages of a room as one page: from the newest one down to the first that is missing, since `seq` has no holes. The
 * optimistic ones come last.
 *
 * @returns undefined if no page is known.
 */
export function readRoom(cache: Cache, roomId: string): object | undefined {
  const entity = entityOf(roomId);
  const fields = cache.inspectFields(entity);
  const pages = fields.flatMap(({ fieldName, fieldKey, arguments: args }) => {
    if (fieldName !== PAGE) return [];
    const key = cache.resolve(entity, fieldKey) as Key;
    return key ? [{ key, args: JSON.parse(String(args?.path))[2] }] : [];
  });
  if (pages.length === 0) return undefined;

  const entries = new Map<string, Entry>();
  const add = (key: string, cursor: string | null): void => {
    const known = entries.get(key)?.cursor ?? null;
    entries.set(key, { key, seq: seqOf(cache, key), cursor: known ?? cursor });
  };
  for (const { key } of pages) {
    for (const node of keysOf(cache.resolve(key, 'nodes'))) add(node, null);
    for (const edge of keysOf(cache.resolve(key, 'edges'))) {
      const node = cache.resolve(edge, 'node');
      if (typeof node === 'string') add(node, textOf(cache.resolve(edge, 'cursor')));
    }
  }
  for (const { fieldName, arguments: args } of fields)
    if (fieldName === LIVE && typeof args?.key === 'string') add(args.key, textOf(args.cursor));

  const stored = newestRun([...entries.values()]);
  const pending = unsent(cache, entity, stored);
  const all = [...stored, ...pending];
  const newest = pages.find(({ args }) => args.before == null && args.after == null) ?? pages[0];
  return {
    __typename: 'MessageConnection',
    nodes: all.map(({ key }) => key),
    edges: all.map(({ key, cursor }) => ({ __typename: 'MessageEdge', cursor: cursor ?? '', node: key })),
    pageInfo: {
      __typename: 'PageInfo',
      hasPreviousPage: (stored[0]?.seq ?? 1) > 1,
      hasNextPage: false,
      startCursor: startCursor(cache, pages, stored[0]),
      endCursor: stored.at(-1)?.cursor ?? null,
    },
    // Where a subscription starts, which must not change with each older page.
    liveCursor: newest && cache.resolve(newest.key, 'liveCursor'),
  };
}

/** Below a hole, messages may be missing: a page that was read long ago. */
function newestRun(entries: Entry[]): readonly Entry[] {
  entries.sort((a, b) => a.seq - b.seq);
  let start = entries.length - 1;
  while (start > 0 && entries[start - 1]?.seq === (entries[start]?.seq ?? 0) - 1) start -= 1;
  return entries.slice(Math.max(0, start));
}

/** The optimistic messages of which the stored copy has not arrived. */
function unsent(cache: Cache, entity: string, stored: readonly Entry[]): readonly Entry[] {
  const pending = cache.inspectFields(entity).filter(({ fieldName }) => fieldName === PENDING);
  if (pending.length === 0) return [];
  const sent = new Set(stored.map(({ key }) => cache.resolve(key, 'clientMessageId')));
  return pending.flatMap(({ arguments: args, fieldKey }) => {
    const key = String(args?.key);
    const isThere = cache.resolve(entity, fieldKey) && !sent.has(cache.resolve(key, 'clientMessageId'));
    return isThere ? [{ key, seq: 0, cursor: null }] : [];
  });
}

function startCursor(cache: Cache, pages: readonly { key: Key }[], first: Entry | undefined): string | null {
  if (!first || first.cursor !== null) return first?.cursor ?? null;
  // Without edges, a page has the cursor of its first message.
  for (const { key } of pages)
    if (keysOf(cache.resolve(key, 'nodes'))[0] === first.key)
      return textOf(cache.resolve(cache.resolve(key, 'pageInfo') as Key, 'startCursor'));
  return null;
}

function seqOf(cache: Cache, key: string): number {
  const seq = cache.resolve(key, 'seq');
  if (typeof seq === 'number') return seq;
  throw new ParleyError('BAD_USER_INPUT', 'Messages are merged by `seq`: select `id` and `seq` of each.');
}

function keysOf(links: unknown): string[] {
  return Array.isArray(links) ? links.filter((link) => typeof link === 'string') : [];
}

function textOf(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}
