import { InMemoryCache, type TypedDocumentNode } from '@apollo/client';
import { parse } from 'graphql';
import { beforeEach, expect, test } from 'vitest';
import { parleyTypePolicies, possibleTypes } from '../../../../packages/client/src/apollo/index.js';

interface Edge {
  readonly __typename: 'MessageEdge';
  readonly cursor: string;
  readonly node: {
    readonly __typename: 'Message';
    readonly id: string;
    readonly seq: number;
    readonly text: string;
    readonly clientMessageId: string | null;
    readonly author: { readonly __typename: 'User'; readonly id: string };
  };
}

interface Connection {
  readonly __typename: 'MessageConnection';
  readonly edges: readonly Edge[];
  readonly pageInfo: {
    readonly __typename: 'PageInfo';
    readonly hasPreviousPage: boolean;
    readonly hasNextPage: boolean;
    readonly startCursor: string | null;
    readonly endCursor: string | null;
  };
  readonly liveCursor: string;
}

interface Paging {
  readonly first?: number;
  readonly after?: string;
  readonly last?: number;
  readonly before?: string;
}

const EDGE = 'cursor node { id seq text clientMessageId author { id } }';
const CONNECTION = `edges { ${EDGE} } pageInfo { hasPreviousPage hasNextPage startCursor endCursor } liveCursor`;
const PAGING = '$first: Int, $after: String, $last: Int, $before: String';
const ARGUMENTS = 'first: $first, after: $after, last: $last, before: $before';

const PAGE: TypedDocumentNode<{ roomMessages: Connection | null }, Paging & { roomId: string }> = parse(
  `query ($roomId: ID!, ${PAGING}) { roomMessages(roomId: $roomId, ${ARGUMENTS}) { ${CONNECTION} } }`,
);
const ROOM_PAGE: TypedDocumentNode<
  { room: { __typename: 'Room'; id: string; messages: Connection } },
  Paging & { roomId: string }
> = parse(
  `query ($roomId: ID!, ${PAGING}) { room(id: $roomId) { id messages(${ARGUMENTS}) { ${CONNECTION} } } }`,
);
const LIVE: TypedDocumentNode<{ messageAdded: Edge }, { roomId: string; after?: string }> = parse(
  `subscription ($roomId: ID!, $after: String) { messageAdded(roomId: $roomId, after: $after) { ${EDGE} } }`,
);
const EVENTS = parse(
  `subscription ($roomId: ID!) {
    roomEvents(roomId: $roomId) { __typename cursor ... on MessageAddedEvent { edge { ${EDGE} } } }
  }`,
);
const SEND = parse(
  `mutation ($input: SendMessageInput!) {
    sendMessage(input: $input) {
      __typename
      ... on SendMessagePayload { edge { ${EDGE} } }
      ... on UserError { message }
    }
  }`,
);

const roomId = 'R1';
const NEWEST = 100;

function edge(seq: number, clientMessageId: string | null = null, author = 'alice'): Edge {
  return {
    __typename: 'MessageEdge',
    cursor: `c${seq}`,
    node: {
      __typename: 'Message',
      id: `M${seq}`,
      seq,
      text: `text ${seq}`,
      clientMessageId,
      author: { __typename: 'User', id: author },
    },
  };
}

/** What the server answers for the messages from one number to another, of `newest`. */
function connection(from: number, to: number, newest = NEWEST): Connection {
  const edges = Array.from({ length: Math.max(0, to - from + 1) }, (_, index) => edge(from + index));
  return {
    __typename: 'MessageConnection',
    edges,
    pageInfo: {
      __typename: 'PageInfo',
      hasPreviousPage: from > 1,
      hasNextPage: to < newest,
      startCursor: edges[0]?.cursor ?? null,
      endCursor: edges.at(-1)?.cursor ?? null,
    },
    liveCursor: `live${to}`,
  };
}

let cache: InMemoryCache;

beforeEach(() => {
  cache = new InMemoryCache({ typePolicies: parleyTypePolicies, possibleTypes });
});

function writePage(from: number, to: number, paging: Paging = { last: 10 }, newest = NEWEST): void {
  cache.writeQuery({
    query: PAGE,
    variables: { roomId, ...paging },
    data: { roomMessages: connection(from, to, newest) },
  });
}

/** Writes what a subscription delivers, as Apollo Client does. */
function deliver(delivered: Edge): void {
  cache.write({
    dataId: 'ROOT_SUBSCRIPTION',
    query: LIVE,
    variables: { roomId, after: 'any' },
    result: { messageAdded: delivered },
  });
}

function writeSent(sent: Edge, to: Pick<InMemoryCache, 'write'> = cache): void {
  to.write({
    dataId: 'ROOT_MUTATION',
    query: SEND,
    variables: { input: { roomId, text: sent.node.text } },
    result: { sendMessage: { __typename: 'SendMessagePayload', edge: sent } },
  });
}

const optimistic = (clientMessageId: string, author?: string): Edge => {
  const { node, ...rest } = edge(0, clientMessageId, author);
  return { ...rest, cursor: '', node: { ...node, id: `optimistic:${clientMessageId}` } };
};

function writeOptimistic(clientMessageId: string): void {
  cache.recordOptimisticTransaction(
    (layer) => writeSent(optimistic(clientMessageId), layer),
    clientMessageId,
  );
}

function list(): Connection {
  const data = cache.readQuery({ query: PAGE, variables: { roomId, last: 10 }, optimistic: true });
  if (!data?.roomMessages) throw new Error('The list is incomplete');
  return data.roomMessages;
}

const seqs = ({ edges }: Connection): number[] => edges.map(({ node }) => node.seq);
const from = (first: number, last: number): number[] =>
  Array.from({ length: last - first + 1 }, (_, index) => first + index);

test('should page up twice with one list and the first liveCursor', () => {
  writePage(91, 100);
  writePage(81, 90, { last: 10, before: 'c91' });
  deliver(edge(101));
  writePage(71, 80, { last: 10, before: 'c81' });

  expect(seqs(list())).toEqual(from(71, 101));
  expect(list().liveCursor).toBe('live100');
  expect(list().pageInfo).toMatchObject({
    hasPreviousPage: true,
    startCursor: 'c71',
    hasNextPage: false,
    endCursor: 'c101',
  });
});

test('should reach the start of the history', () => {
  writePage(6, 15, undefined, 15);
  writePage(1, 5, { last: 10, before: 'c6' }, 15);

  expect(list().pageInfo).toMatchObject({ hasPreviousPage: false, startCursor: 'c1', hasNextPage: false });
});

test('should page down, past live messages that are far ahead', () => {
  writePage(1, 10, { first: 10 });
  deliver(edge(101));
  expect(list().pageInfo).toMatchObject({ hasNextPage: true, endCursor: 'c10' });

  writePage(11, 60, { first: 50, after: 'c10' });
  expect(seqs(list())).toEqual([...from(1, 60), 101]);
  expect(list().pageInfo).toMatchObject({ hasNextPage: true, endCursor: 'c60', hasPreviousPage: false });
  writePage(61, 101, { first: 50, after: 'c60' }, 101);
  expect(seqs(list())).toEqual(from(1, 101));
  expect(list().pageInfo).toMatchObject({ hasNextPage: false, endCursor: 'c101' });
});

test('should put messages that come out of order where they belong, each once', () => {
  writePage(91, 100);
  for (const seq of [103, 101, 103, 102, 100]) deliver(edge(seq));
  writeSent(edge(102));

  expect(seqs(list())).toEqual(from(91, 103));
});

test('should keep a live message that comes before the first page', () => {
  deliver(edge(101));
  expect(cache.readQuery({ query: PAGE, variables: { roomId, last: 10 } })).toBeNull();

  writePage(91, 100);
  expect(seqs(list())).toEqual(from(91, 101));
  expect(list().liveCursor).toBe('live100');
});

test('should not take a page of nothing but liveCursor for the list', () => {
  const query = parse('query ($roomId: ID!) { roomMessages(roomId: $roomId, last: 0) { liveCursor } }');
  const data = { roomMessages: { __typename: 'MessageConnection', liveCursor: 'live100' } };
  cache.writeQuery({ query, variables: { roomId }, data });

  expect(cache.readQuery({ query, variables: { roomId } })).toEqual(data);
  expect(cache.readQuery({ query: PAGE, variables: { roomId, last: 10 } })).toBeNull();
});

test('should know that an empty room is empty', () => {
  writePage(1, 0, { last: 10 }, 0);
  expect(list()).toMatchObject({ edges: [], liveCursor: 'live0', pageInfo: { startCursor: null } });

  deliver(edge(1));
  expect(seqs(list())).toEqual([1]);
  expect(list()).toMatchObject({ liveCursor: 'live0', pageInfo: { startCursor: 'c1', endCursor: 'c1' } });
});

test('should replace the list by the newest page if there is a gap between them', () => {
  writePage(1, 10, undefined, 10);
  deliver(edge(101));
  writePage(91, 100);

  expect(seqs(list())).toEqual(from(91, 101));
  expect(list()).toMatchObject({
    liveCursor: 'live100',
    pageInfo: { hasPreviousPage: true, startCursor: 'c91' },
  });
});

test('should merge a refetched page that connects to the list, whatever the write policy of refetches', () => {
  writePage(81, 90, undefined, 90);
  deliver(edge(101));
  cache.writeQuery({
    query: PAGE,
    variables: { roomId, last: 10 },
    data: { roomMessages: connection(91, 100) },
    overwrite: true,
  });

  expect(seqs(list())).toEqual(from(81, 101));
  expect(list().liveCursor).toBe('live90');
});

test('should show the own message once if the subscription delivers it before the result of the mutation', () => {
  writePage(91, 100);
  writeOptimistic('a');
  expect(list().edges.at(-1)?.node).toMatchObject({ seq: 0, clientMessageId: 'a' });
  expect(seqs(list())).toEqual([...from(91, 100), 0]);

  deliver(edge(101, 'a'));
  expect(seqs(list())).toEqual(from(91, 101));
  cache.batch({ update: () => writeSent(edge(101, 'a')), removeOptimistic: 'a' });
  expect(seqs(list())).toEqual(from(91, 101));
});

test('should show what others send while the own message is on its way', () => {
  writePage(91, 100);
  writeOptimistic('a');
  writeOptimistic('b');
  deliver(edge(101, 'a', 'bob'));
  deliver(edge(102, 'b'));

  expect(
    list()
      .edges.slice(-3)
      .map(({ node }) => node.id),
  ).toEqual(['M101', 'M102', 'optimistic:a']);
  cache.removeOptimistic('a');
  cache.removeOptimistic('b');
  expect(seqs(list())).toEqual(from(91, 102));
});

test('should keep rooms apart, and the lists of Room.messages and Query.roomMessages together', () => {
  cache.writeQuery({
    query: ROOM_PAGE,
    variables: { roomId, last: 10 },
    data: { room: { __typename: 'Room', id: roomId, messages: connection(91, 100) } },
  });
  writePage(96, 100);
  cache.writeQuery({
    query: PAGE,
    variables: { roomId: 'R2', last: 10 },
    data: { roomMessages: connection(1, 2, 2) },
  });
  deliver(edge(101));
  writeOptimistic('a');

  expect(seqs(list())).toEqual([...from(96, 101), 0]);
  const room = cache.readQuery({ query: ROOM_PAGE, variables: { roomId, last: 10 }, optimistic: true });
  expect(room && seqs(room.room.messages)).toEqual([...from(91, 101), 0]);
  const other = cache.readQuery({ query: PAGE, variables: { roomId: 'R2' }, optimistic: true });
  expect(other?.roomMessages && seqs(other.roomMessages)).toEqual([1, 2]);
});

test('should add the messages of roomEvents', () => {
  writePage(91, 100);
  const write = (roomEvents: object): unknown =>
    cache.write({
      dataId: 'ROOT_SUBSCRIPTION',
      query: EVENTS,
      variables: { roomId },
      result: { roomEvents },
    });
  write({ __typename: 'CaughtUpEvent', cursor: 'e1' });
  write({ __typename: 'MessageAddedEvent', cursor: 'e2', edge: edge(101) });

  expect(seqs(list())).toEqual(from(91, 101));
});

test('should notify watchers once per new message, and not at all of repeated ones', () => {
  writePage(91, 100);
  let notified = 0;
  cache.watch({
    query: PAGE,
    variables: { roomId, last: 10 },
    optimistic: true,
    callback: () => {
      notified += 1;
    },
  });
  deliver(edge(101));
  expect(notified).toBe(1);

  deliver(edge(101));
  writeSent(edge(101));
  writePage(91, 100);
  expect(notified).toBe(1);
});

test('should leave out messages that were evicted', () => {
  writePage(91, 93);
  cache.evict({ id: 'Message:M92' });

  expect(seqs(list())).toEqual([91, 93]);
  deliver(edge(94));
  expect(seqs(list())).toEqual([91, 93, 94]);
});

test('should explain that a page needs seq', () => {
  const query = parse('query ($roomId: ID!) { roomMessages(roomId: $roomId) { edges { node { id } } } }');
  const edges = [{ __typename: 'MessageEdge', node: { __typename: 'Message', id: 'M1' } }];
  expect(() =>
    cache.writeQuery({
      query,
      variables: { roomId },
      data: { roomMessages: { __typename: 'MessageConnection', edges } },
    }),
  ).toThrow('`node { id seq }`');
});

test('should keep the message of errors that fragments on interfaces select', () => {
  const result = { sendMessage: { __typename: 'RateLimitedError', message: 'Too many.' } };
  const variables = { input: { roomId, text: 'Hello' } };
  cache.write({ dataId: 'ROOT_MUTATION', query: SEND, variables, result });

  expect(cache.extract().ROOT_MUTATION).toMatchObject({ sendMessage: { message: 'Too many.' } });
});
