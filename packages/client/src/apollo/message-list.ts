import type { Reference } from '@apollo/client';

/** An edge as the cache keeps it. A page that selects only `nodes` has edges without a cursor. */
export interface CachedEdge {
  readonly __typename?: string;
  readonly cursor?: string;
  readonly node: Reference;
  /** The `seq` of the message, once the edge is in a list. */
  readonly seq?: number;
}

export interface CachedPageInfo {
  readonly __typename?: string;
  readonly hasNextPage?: boolean;
  readonly hasPreviousPage?: boolean;
  readonly startCursor?: string | null;
  readonly endCursor?: string | null;
}

/** A page as it is written to the cache, with the fields that its document selects. */
export interface Page {
  readonly __typename?: string;
  readonly edges?: readonly CachedEdge[];
  readonly nodes?: readonly Reference[];
  readonly pageInfo?: CachedPageInfo;
  readonly liveCursor?: string;
}

/** All pages and live messages of a room that are known. */
export interface MessageList {
  readonly __typename: string;
  /** In `seq` order, each message once. */
  readonly known: readonly CachedEdge[];
  /** The `seq` up to which pages go; null while only live messages are known. Live messages may be further. */
  readonly pagedTo: number | null;
  readonly pageInfo?: CachedPageInfo | undefined;
  readonly liveCursor?: string | undefined;
}

/** The `seq` of a message; undefined if the message is not in the cache any more. */
export type SeqOf = (message: Reference) => number | undefined;

const EMPTY: MessageList = { __typename: 'MessageConnection', known: [], pagedTo: null };

type Numbered = Map<number, CachedEdge>;

/** The edges of messages that are in the cache, with their `seq`. */
function numbered(edges: readonly CachedEdge[], seqOf: SeqOf): Numbered {
  const bySeq: Numbered = new Map();
  for (const edge of edges) {
    const seq = edge.seq ?? seqOf(edge.node);
    if (seq !== undefined) bySeq.set(seq, edge.seq === undefined ? { ...edge, seq } : edge);
  }
  return bySeq;
}

/** Adds edges, and returns whether that changed anything. */
function addAll(to: Numbered, edges: Numbered): boolean {
  let isChanged = false;
  for (const [seq, edge] of edges) {
    const old = to.get(seq);
    const isSame = old?.node.__ref === edge.node.__ref && (edge.cursor ?? old?.cursor) === old?.cursor;
    if (isSame) continue;
    to.set(seq, { ...old, ...edge });
    isChanged = true;
  }
  return isChanged;
}

function inOrder(bySeq: Numbered): readonly CachedEdge[] {
  return [...bySeq].sort(([a], [b]) => a - b).map(([, edge]) => edge);
}

/** Adds a message that a subscription or a mutation delivered, wherever it belongs. */
export function addLive(list: MessageList = EMPTY, edges: readonly CachedEdge[], seqOf: SeqOf): MessageList {
  const added = numbered(edges, seqOf);
  const last = list.known.at(-1)?.seq ?? 0;
  // The usual case: the next messages.
  if (Math.min(...added.keys()) > last)
    return withEnds({ ...list, known: [...list.known, ...inOrder(added)] });
  const known = numbered(list.known, seqOf);
  return addAll(known, added) ? withEnds({ ...list, known: inOrder(known) }) : list;
}

/**
 * Adds a page. `seq` has no gaps, so messages before the page are kept only if they connect to it: after a long absence,
 * the newest page replaces the list, and paging up reads what is between. `liveCursor` stays that of the first page,
 * unless the list is replaced: a subscription from there covers everything that is not in the list, and changes of
 * everything that is.
 */
export function addPage(list: MessageList = EMPTY, page: Page, seqOf: SeqOf): MessageList {
  const edges = page.edges ?? page.nodes?.map((node) => ({ __typename: 'MessageEdge', node }));
  // A document without messages, such as one of only `liveCursor`.
  if (!edges) return { ...list, liveCursor: list.liveCursor ?? page.liveCursor };

  const known = numbered(list.known, seqOf);
  const added = numbered(edges, seqOf);
  const first = Math.min(...added.keys());
  const last = Math.max(0, ...added.keys());
  const isNewStart = first < Math.min(...known.keys());
  const isChanged = addAll(known, added);
  const isReplaced = added.size > 0 && dropUnconnected(known, first);

  const isFirstPage = list.pagedTo === null || list.known.length === 0 || isReplaced;
  const isNewEnd = isFirstPage || last > (list.pagedTo ?? 0);
  return withEnds({
    __typename: page.__typename ?? list.__typename,
    known: isChanged || isReplaced ? inOrder(known) : list.known,
    pagedTo: isNewEnd ? last : list.pagedTo,
    pageInfo: (list.pageInfo || page.pageInfo) && {
      __typename: 'PageInfo',
      ...endsOf(isFirstPage || isNewStart ? page : list, 'hasPreviousPage', 'startCursor'),
      ...endsOf(isNewEnd ? page : list, 'hasNextPage', 'endCursor'),
    },
    liveCursor: isFirstPage ? (page.liveCursor ?? list.liveCursor) : (list.liveCursor ?? page.liveCursor),
  });
}

/** The given fields of a `pageInfo`, as far as it has them. */
function endsOf(
  { pageInfo }: { readonly pageInfo?: CachedPageInfo | undefined },
  ...keys: readonly (keyof CachedPageInfo)[]
): CachedPageInfo {
  return Object.fromEntries(
    keys.flatMap((key) => (pageInfo && key in pageInfo ? [[key, pageInfo[key]]] : [])),
  );
}

/** Removes the messages before the last gap before a page; returns whether there were some. */
function dropUnconnected(known: Numbered, first: number): boolean {
  let start = first;
  while (known.has(start - 1)) start -= 1;
  let isDropped = false;
  for (const seq of known.keys()) if (seq < start) isDropped = known.delete(seq) || isDropped;
  return isDropped;
}

/** The cursors of the ends, which live messages move, where the documents select them. */
function withEnds(list: MessageList): MessageList {
  const { pageInfo, known } = list;
  if (!pageInfo) return list;
  const start = known[0]?.cursor;
  // While pages are missing before the live messages, paging down continues at the end of the pages.
  const end = pageInfo.hasNextPage ? undefined : known.at(-1)?.cursor;
  return {
    ...list,
    pageInfo: {
      ...pageInfo,
      ...('startCursor' in pageInfo && start !== undefined && { startCursor: start }),
      ...('endCursor' in pageInfo && end !== undefined && { endCursor: end }),
    },
  };
}
