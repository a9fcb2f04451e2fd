import { ApolloClient, InMemoryCache, type ObservableQuery } from '@apollo/client';
import { defaultFieldResolver, isObjectType } from 'graphql';
import { beforeAll, expect, onTestFinished, test } from 'vitest';
import { parleyLink, parleyTypePolicies, possibleTypes } from '../../packages/client/src/apollo/index.js';
import {
  MessageAddedDocument,
  RoomEventsDocument,
  RoomMessagesDocument,
  type RoomMessagesQuery,
  type RoomMessagesQueryVariables,
  SendMessageDocument,
} from '../../schema/generated/graphql.js';
import { schema } from '../../src/graphql/schema/index.js';
import { at, createRoom, joinRoom, type Person, send, signUp } from '../helpers/client.js';
import { openStores } from '../helpers/database.js';
import { startParley, startSibling, type TestParley } from '../helpers/parley.js';
import { createClientOf } from '../helpers/parley-client.js';

let parley: TestParley;
let alice: Person;

beforeAll(async () => {
  parley = await startParley();
  alice = await signUp(parley.url);
});

const SECOND = 1000;
const from = (first: number, last: number): number[] =>
  Array.from({ length: last - first + 1 }, (_, index) => first + index);

/** An Apollo Client as the README sets it up. */
function createApollo(url: string, person: Person): ApolloClient {
  const apollo = new ApolloClient({
    link: parleyLink(createClientOf({ url, token: person.token })),
    cache: new InMemoryCache({ typePolicies: parleyTypePolicies, possibleTypes }),
  });
  onTestFinished(() => apollo.stop());
  return apollo;
}

const seqsOf = (data: RoomMessagesQuery | undefined): number[] =>
  data?.roomMessages?.edges.map(({ node }) => node.seq) ?? [];

interface Screen {
  readonly query: ObservableQuery<RoomMessagesQuery, RoomMessagesQueryVariables>;
  /** What was shown each time that the data changed. */
  readonly renders: readonly RoomMessagesQuery[];
  /** The `seq` of all messages that are shown. */
  shown(): readonly number[];
  /** The list in the cache. */
  list(): RoomMessagesQuery['roomMessages'];
  /** Errors of the subscription. */
  readonly errors: readonly string[];
}

/** What a component does: queries the newest page, and subscribes after its `liveCursor`. */
async function openScreen(apollo: ApolloClient, roomId: string): Promise<Screen> {
  const query = apollo.watchQuery({
    query: RoomMessagesDocument,
    variables: { roomId, last: 10 },
    notifyOnNetworkStatusChange: false,
  });
  const renders: RoomMessagesQuery[] = [];
  const errors: string[] = [];
  const rendering = query.subscribe(({ data, dataState }) => {
    // The same data come again when only `loading` has changed.
    if (dataState === 'complete' && data !== renders.at(-1)) renders.push(data);
  });
  onTestFinished(() => rendering.unsubscribe());
  await expect.poll(() => renders.length).toBe(1);
  const list = (): RoomMessagesQuery['roomMessages'] =>
    apollo.readQuery({ query: RoomMessagesDocument, variables: { roomId } })?.roomMessages ?? null;
  const live = apollo
    .subscribe({
      query: MessageAddedDocument,
      variables: { roomId, after: list()?.liveCursor },
      errorPolicy: 'all',
    })
    .subscribe(({ error }) => {
      if (error) errors.push(error.message);
    });
  onTestFinished(() => live.unsubscribe());
  return { query, renders, errors, list, shown: () => seqsOf(renders.at(-1)) };
}

async function pageUp({ query, list }: Screen): Promise<void> {
  await query.fetchMore({ variables: { before: list()?.pageInfo.startCursor } });
}

function sendAs(apollo: ApolloClient, { userId, username }: Person, roomId: string, text: string) {
  const clientMessageId = `id of ${text}`;
  const author = { __typename: 'User', id: userId, username, displayName: username, avatarUrl: null };
  const node = {
    __typename: 'Message',
    id: `optimistic:${clientMessageId}`,
    seq: 0,
    type: 'TEXT' as const,
    text,
    revision: 0,
    clientMessageId,
    createdAt: new Date().toISOString(),
    author,
  };
  const edge = { __typename: 'MessageEdge', cursor: '', node };
  return apollo.mutate({
    mutation: SendMessageDocument,
    variables: { input: { roomId, text, clientMessageId } },
    optimisticResponse: { sendMessage: { __typename: 'SendMessagePayload', edge } },
  });
}

/** Each render shows each message once, in order, optimistic ones last; none shows the same as the one before. */
function expectUseful(renders: readonly RoomMessagesQuery[]): void {
  for (const [index, render] of renders.entries()) {
    const seqs = seqsOf(render);
    const stored = seqs.filter((seq) => seq > 0);
    expect(stored).toEqual([...new Set(stored)].sort((a, b) => a - b));
    expect(seqs.slice(0, stored.length)).toEqual(stored);
    expect(render).not.toEqual(renders[index - 1]);
  }
}

test('should show every message once and in order: history, live, pages up, own messages, an outage', async () => {
  const first = await startParley();
  const other = await startSibling(first);
  const [carol, dave] = [await signUp(first.url), await signUp(first.url)];
  const roomId = await createRoom(carol);
  await joinRoom(dave, roomId);
  for (const each of from(2, 40)) await send(dave, roomId, `${each}`);
  const apollo = createApollo(first.url, carol);

  const screen = await openScreen(apollo, roomId);
  expect(screen.shown()).toEqual(from(31, 40));
  const liveCursor = screen.list()?.liveCursor;
  await send(dave, roomId, '41');
  await expect.poll(screen.shown).toEqual(from(31, 41));

  await pageUp(screen);
  await pageUp(screen);
  await expect.poll(screen.shown).toEqual(from(11, 41));
  expect(screen.list()?.liveCursor).toBe(liveCursor);

  const { data } = await sendAs(apollo, carol, roomId, '42');
  expect(data?.sendMessage.__typename).toBe('SendMessagePayload');
  await expect.poll(screen.shown).toEqual(from(11, 42));
  expect(screen.renders.map(seqsOf)).toContainEqual([...from(11, 41), 0]);
  const beforeOutage = screen.renders.length;
  // History, one live message, two pages, and the own message: optimistic and stored.
  expect(beforeOutage).toBeLessThanOrEqual(6);

  await first.stop();
  const sending = sendAs(apollo, carol, roomId, 'own');
  await expect.poll(screen.shown).toEqual([...from(11, 42), 0]);
  const outage = new Promise((resolve) => setTimeout(resolve, 2 * SECOND));
  for (const each of from(1, 60)) await send(at(other.url, dave), roomId, `meanwhile ${each}`);
  await outage;
  const again = await startSibling(first, { env: { PORT: new URL(first.url).port } });
  await sending;
  const last = await send(at(again.url, dave), roomId, 'the last');

  await expect.poll(screen.shown, { timeout: 10 * SECOND }).toEqual(from(11, last.node.seq));
  expect(last.node.seq).toBe(42 + 60 + 2);
  // What was missed is not rendered message by message.
  expect(screen.renders.length - beforeOutage).toBeLessThan(30);
  expectUseful(screen.renders);
  expect(screen.errors).toEqual([]);
  expect(screen.list()?.liveCursor).toBe(liveCursor);
}, 60_000);

test('should go on after an event of which a field failed', async () => {
  const roomId = await createRoom(alice);
  const type = schema.getType('Message');
  const field = isObjectType(type) ? type.getFields().author : undefined;
  if (!field) throw new Error('There is no such field');
  const before = field.resolve ?? defaultFieldResolver;
  field.resolve = (source, ...rest) => {
    if (source.text === 'two') throw new Error('a failure');
    return before(source, ...rest);
  };
  onTestFinished(() => {
    field.resolve = before;
  });
  const apollo = createApollo(parley.url, alice);
  const screen = await openScreen(apollo, roomId);
  for (const text of ['one', 'two', 'three']) await send(alice, roomId, text);

  await expect.poll(screen.shown).toEqual([1, 2, 3]);
  expect(screen.errors).toHaveLength(1);
  const edges = screen.query.getCurrentResult().data?.roomMessages?.edges;
  expect(edges?.map((edge) => edge?.node?.author === null)).toEqual([false, true, false]);
});

test('should show the restored history, and nothing else, after a gap', async () => {
  const own = await startParley();
  const carol = await signUp(own.url);
  const roomId = await createRoom(carol);
  for (const text of ['one', 'two']) await send(carol, roomId, text);
  const apollo = createApollo(own.url, carol);
  const screen = await openScreen(apollo, roomId);
  const events: (string | undefined)[] = [];
  const watching = apollo
    .subscribe({ query: RoomEventsDocument, variables: { roomId, after: screen.list()?.liveCursor } })
    .subscribe(({ data }) => events.push(data?.roomEvents.__typename));
  onTestFinished(() => watching.unsubscribe());
  await expect.poll(() => events).toEqual(['CaughtUpEvent']);
  // A message that the backup lacks.
  apollo.cache.write({
    dataId: 'ROOT_SUBSCRIPTION',
    query: MessageAddedDocument,
    variables: { roomId },
    result: {
      messageAdded: {
        ...screen.query.getCurrentResult().data?.roomMessages?.edges?.[1],
        cursor: 'lost',
        node: { ...screen.query.getCurrentResult().data?.roomMessages?.edges?.[1]?.node, id: 'lost', seq: 3 },
      },
    },
  });
  await expect.poll(screen.shown).toEqual([1, 2, 3]);
  const liveCursor = screen.list()?.liveCursor ?? '';

  const epoch = Buffer.from(liveCursor, 'base64url').toString('hex', 17, 25);
  await openStores(own.database).epochs.renew(epoch);

  await expect.poll(screen.shown, { timeout: 5 * SECOND }).toEqual([1, 2]);
  await expect.poll(() => events).toContain('HistoryGapEvent');
  await expect.poll(() => screen.list()?.liveCursor).not.toBe(liveCursor);
  for (const text of ['three', 'four']) await send(carol, roomId, text);
  await expect.poll(screen.shown).toEqual([1, 2, 3, 4]);
  expectUseful(screen.renders);
  expect(screen.errors).toEqual([]);
});

test('should report why a subscription cannot be resumed', async () => {
  const roomId = await createRoom(alice);
  const apollo = createApollo(parley.url, alice);
  const document = structuredClone(MessageAddedDocument);
  const definitions = document.definitions.map((definition) =>
    definition.kind === 'FragmentDefinition' && definition.name.value === 'MessageEdgeParts'
      ? {
          ...definition,
          selectionSet: {
            ...definition.selectionSet,
            selections: definition.selectionSet.selections.slice(1),
          },
        }
      : definition,
  );
  const errors: unknown[] = [];
  const running = apollo
    .subscribe({ query: { ...document, definitions }, variables: { roomId } })
    .subscribe(({ error }) => errors.push(error));
  onTestFinished(() => running.unsubscribe());

  await expect.poll(() => errors).toMatchObject([{ code: 'NOT_RESUMABLE' }]);
});
