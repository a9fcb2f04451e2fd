import { ApolloClient, ApolloLink, gql, HttpLink, InMemoryCache } from '@apollo/client';
import { GraphQLWsLink } from '@apollo/client/link/subscriptions';
import { Client, cacheExchange, fetchExchange, subscriptionExchange } from '@urql/core';
import { cacheExchange as graphcache } from '@urql/exchange-graphcache';
import { OperationTypeNode, parse } from 'graphql';
import { beforeAll, expect, test } from 'vitest';
import introspection from '../../schema/introspection.json' with { type: 'json' };
import possibleTypes from '../../schema/possible-types.json' with { type: 'json' };
import {
  connect,
  createRoom,
  EDGE_FIELDS,
  type Edge,
  MESSAGE_ADDED,
  type Person,
  send,
  signUp,
} from '../helpers/client.js';
import { startParley, type TestParley } from '../helpers/parley.js';

/* The two most common GraphQL clients, configured as their documentation recommends. */

let parley: TestParley;
let alice: Person;

beforeAll(async () => {
  parley = await startParley();
  alice = await signUp(parley.url);
});

const HISTORY = `query ($roomId: ID!, $first: Int, $after: String, $last: Int, $before: String) {
  roomMessages(roomId: $roomId, first: $first, after: $after, last: $last, before: $before) {
    edges { ${EDGE_FIELDS} }
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
    liveCursor
  }
}`;
const SEND = `mutation ($input: SendMessageInput!) {
  sendMessage(input: $input) { __typename ... on SendMessagePayload { edge { ${EDGE_FIELDS} } } }
}`;

interface History {
  readonly roomMessages: {
    readonly edges: readonly Edge[];
    readonly pageInfo: { readonly startCursor: string; readonly endCursor: string };
    readonly liveCursor: string;
  };
}
interface Sent {
  readonly sendMessage: { readonly __typename: string; readonly edge: Edge };
}
interface Delivered {
  readonly messageAdded: Edge;
}

/** The part of a client that the test needs. */
interface Frontend {
  query(variables: object): Promise<History['roomMessages']>;
  send(input: object): Promise<Sent['sendMessage']>;
  subscribe(variables: object, next: (edge: Edge) => void, error: (error: unknown) => void): () => void;
  stop(): void;
}

function apollo(): Frontend {
  const http = new HttpLink({ uri: parley.url, headers: { authorization: `Bearer ${alice.token}` } });
  const webSocket = new GraphQLWsLink(
    connect(parley.webSocketUrl, () => ({ authorization: `Bearer ${alice.token}` })),
  );
  const client = new ApolloClient({
    cache: new InMemoryCache(),
    link: ApolloLink.split(
      ({ operationType }) => operationType === OperationTypeNode.SUBSCRIPTION,
      webSocket,
      http,
    ),
  });
  return {
    async query(variables) {
      const { data } = await client.query<History>({ query: gql(HISTORY), variables });
      if (!data) throw new Error('The result has no data.');
      return data.roomMessages;
    },
    async send(input) {
      const { data } = await client.mutate<Sent>({ mutation: gql(SEND), variables: { input } });
      if (!data) throw new Error('The result has no data.');
      return data.sendMessage;
    },
    subscribe(variables, next, error) {
      const subscription = client.subscribe<Delivered>({ query: gql(MESSAGE_ADDED), variables }).subscribe({
        next: ({ data, error: failure }) => (data ? next(data.messageAdded) : error(failure)),
        error,
      });
      return () => subscription.unsubscribe();
    },
    stop: () => client.stop(),
  };
}

function urql(): Frontend {
  const webSocket = connect(parley.webSocketUrl, () => ({ authorization: `Bearer ${alice.token}` }));
  const client = new Client({
    url: parley.url,
    preferGetMethod: false,
    fetchOptions: { headers: { authorization: `Bearer ${alice.token}` } },
    exchanges: [
      cacheExchange,
      fetchExchange,
      subscriptionExchange({
        forwardSubscription: ({ query = '', variables }) => ({
          subscribe: (sink) => ({
            unsubscribe: webSocket.subscribe(
              { query, variables: variables ?? {} },
              {
                next: ({ data, errors }) =>
                  sink.next({ data: data ?? null, ...(errors ? { errors: [...errors] } : {}) }),
                error: (error) => sink.error(error),
                complete: () => sink.complete(),
              },
            ),
          }),
        }),
      }),
    ],
  });
  return {
    async query(variables) {
      const { data, error } = await client.query<History>(parse(HISTORY), variables).toPromise();
      if (!data) throw error ?? new Error('The result has no data.');
      return data.roomMessages;
    },
    async send(input) {
      const { data, error } = await client.mutation<Sent>(parse(SEND), { input }).toPromise();
      if (!data) throw error ?? new Error('The result has no data.');
      return data.sendMessage;
    },
    subscribe(variables, next, error) {
      const { unsubscribe } = client
        .subscription<Delivered>(parse(MESSAGE_ADDED), variables)
        .subscribe(({ data, error: failure }) => (data ? next(data.messageAdded) : error(failure)));
      return unsubscribe;
    },
    stop: () => {},
  };
}

test.each([
  ['Apollo Client', apollo],
  ['urql', urql],
])('%s sends, pages in both directions, and receives its own message once', async (_name, create) => {
  const frontend = create();
  const roomId = await createRoom(alice);
  for (const text of ['1', '2', '3', '4', '5']) await send(alice, roomId, text);
  const texts = (edges: readonly Edge[]) => edges.map(({ node }) => node.text);

  const newest = await frontend.query({ roomId, last: 2 });
  expect(texts(newest.edges)).toEqual(['4', '5']);
  const older = await frontend.query({ roomId, last: 2, before: newest.pageInfo.startCursor });
  expect(texts(older.edges)).toEqual(['2', '3']);
  const forward = await frontend.query({ roomId, first: 2, after: older.pageInfo.endCursor });
  expect(texts(forward.edges)).toEqual(['4', '5']);

  const delivered: Edge[] = [];
  const errors: unknown[] = [];
  const unsubscribe = frontend.subscribe(
    { roomId, after: newest.liveCursor },
    (edge) => delivered.push(edge),
    (error) => errors.push(error),
  );
  const sent = await frontend.send({ roomId, text: 'mine', clientMessageId: 'a' });
  expect(sent.__typename).toBe('SendMessagePayload');
  await send(alice, roomId, 'last');
  await expect.poll(() => texts(delivered)).toEqual(['mine', 'last']);

  expect(errors).toEqual([]);
  expect(delivered[0]?.cursor).toBe(sent.edge.cursor);
  unsubscribe();
  frontend.stop();
});

/** Clients cannot know which types a fragment on an interface matches, unless they are configured. */
const LOGIN = `mutation {
  login(input: { username: "nobody", password: "wrong password" }) { __typename ... on UserError { message } }
}`;
const REJECTED = { __typename: 'InvalidCredentialsError', message: expect.stringMatching(/password/i) };

test('Apollo Client keeps the fields of `... on UserError` with schema/possible-types.json', async () => {
  const client = new ApolloClient({
    cache: new InMemoryCache({ possibleTypes }),
    link: new HttpLink({ uri: parley.url }),
  });
  const { data } = await client.mutate<{ login: object }>({ mutation: gql(LOGIN) });
  expect(data?.login).toEqual(REJECTED);
  client.stop();
});

test("urql's graphcache keeps the fields of `... on UserError` with schema/introspection.json", async () => {
  const client = new Client({
    url: parley.url,
    preferGetMethod: false,
    exchanges: [graphcache({ schema: introspection }), fetchExchange],
  });
  const { data } = await client.mutation<{ login: object }>(parse(LOGIN), {}).toPromise();
  expect(data?.login).toEqual(REJECTED);
});
