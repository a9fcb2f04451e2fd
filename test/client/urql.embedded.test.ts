import { Client, gql, type OperationResult, type OperationResultSource } from '@urql/core';
import { cacheExchange } from '@urql/exchange-graphcache';
import postgres from 'postgres';
import { beforeAll, expect, onTestFinished, test } from 'vitest';
import { parleyCache, parleyExchange } from '../../packages/client/src/urql/index.js';
import { at, createRoom, joinRoom, type Person, send, signUp } from '../helpers/client.js';
import { openStores } from '../helpers/database.js';
import { startParley, startSibling, type TestParley } from '../helpers/parley.js';
import { createClientOf } from '../helpers/parley-client.js';
import { replaceResolver } from '../helpers/replace-resolver.js';

/* urql with `parley-client/urql`; its recipe with React is run by recipes.embedded.test.ts. */

let parley: TestParley;
let alice: Person;

beforeAll(async () => {
  parley = await startParley();
  alice = await signUp(parley.url);
});

const MESSAGE = gql`
  fragment ChatMessage on Message { id seq revision type text clientMessageId createdAt author { id displayName } }
`;
const ROOM = gql`
  query ($roomId: ID!, $before: String) {
    viewer { id user { id username displayName } }
    roomMessages(roomId: $roomId, last: 10, before: $before) {
      edges { cursor node { ...ChatMessage } }
      nodes { ...ChatMessage }
      pageInfo { hasPreviousPage startCursor hasNextPage endCursor }
      liveCursor
    }
  }
  ${MESSAGE}
`;
/** The same list below another object, without edges. */
const ROOM_OBJECT = gql`
  query ($roomId: ID!) {
    room(id: $roomId) { id messages(last: 3) { nodes { ...ChatMessage } pageInfo { hasPreviousPage startCursor } } }
  }
  ${MESSAGE}
`;
const MESSAGE_ADDED = gql`
  subscription ($roomId: ID!, $after: String) {
    messageAdded(roomId: $roomId, after: $after) { cursor node { ...ChatMessage } }
  }
  ${MESSAGE}
`;
const ROOM_EVENTS = gql`
  subscription ($roomId: ID!, $after: String) {
    roomEvents(roomId: $roomId, after: $after) {
      __typename cursor
      ... on MessageAddedEvent { edge { cursor node { ...ChatMessage } } }
      ... on MessageChangedEvent { message { ...ChatMessage } }
    }
  }
  ${MESSAGE}
`;
const SEND = gql`
  mutation ($input: SendMessageInput!) {
    sendMessage(input: $input) {
      __typename
      ... on SendMessagePayload { edge { cursor node { ...ChatMessage } } }
      ... on UserError { message }
    }
  }
  ${MESSAGE}
`;

interface Message {
  readonly id: string;
  readonly seq: number;
  readonly text: string;
  readonly author: { readonly id: string; readonly displayName: string } | null;
}
interface Page {
  readonly edges: readonly { readonly cursor: string; readonly node: Message }[];
  readonly nodes: readonly Message[];
  readonly pageInfo: { readonly hasPreviousPage: boolean; readonly startCursor: string | null };
  readonly liveCursor: string;
}

const from = (first: number, last: number): number[] =>
  Array.from({ length: last - first + 1 }, (_, index) => first + index);

/** An urql client as the README sets it up. */
function createUrql(url: string, person: Person): Client {
  return new Client({
    url,
    exchanges: [cacheExchange(parleyCache), parleyExchange(createClientOf({ url, token: person.token }))],
  });
}

interface Shown {
  readonly data?: unknown;
  readonly error?: unknown;
}

function watch(source: OperationResultSource<OperationResult>, onResult: (result: Shown) => void): void {
  const { unsubscribe } = source.subscribe(onResult);
  onTestFinished(unsubscribe);
}

/** What a component does: queries a page, and subscribes after its `liveCursor`. */
async function openScreen(urql: Client, roomId: string, subscription = MESSAGE_ADDED) {
  const renders: Page[] = [];
  const errors: unknown[] = [];
  const show = (before: string | null = null): void =>
    watch(urql.query(ROOM, { roomId, before }), ({ data, error }) => {
      if (error) errors.push(error);
      // The query's type is not generated.
      const page = (data as { roomMessages?: Page } | undefined)?.roomMessages;
      if (page) renders.push(page);
    });
  show();
  await expect.poll(() => renders.length).toBeGreaterThan(0);
  const page = (): Page | undefined => renders.at(-1);
  watch(urql.subscription(subscription, { roomId, after: page()?.liveCursor }), ({ error }) => {
    if (error) errors.push(error);
  });
  return {
    renders,
    errors,
    page,
    shown: () => page()?.nodes.map(({ seq }) => seq),
    pageUp: () => show(page()?.pageInfo.startCursor),
    send: (text: string) =>
      urql.mutation(SEND, { input: { roomId, text, clientMessageId: `id of ${text}` } }).toPromise(),
  };
}

/** Each render shows each message once, in order, optimistic ones last, and the same by edges. */
function expectUseful(renders: readonly Page[]): void {
  for (const { nodes, edges } of renders) {
    const seqs = nodes.map(({ seq }) => seq);
    const stored = seqs.filter((seq) => seq > 0);
    expect(stored).toEqual([...new Set(stored)].sort((a, b) => a - b));
    expect(seqs.slice(0, stored.length)).toEqual(stored);
    expect(edges.map(({ node }) => node.seq)).toEqual(seqs);
  }
}

test('should show every message once and in order: history, live, pages up, own messages, an outage', async () => {
  const first = await startParley();
  const other = await startSibling(first);
  const [carol, dave] = [await signUp(first.url), await signUp(first.url)];
  const roomId = await createRoom(carol);
  await joinRoom(dave, roomId);
  for (const each of from(2, 40)) await send(dave, roomId, `${each}`);
  const screen = await openScreen(createUrql(first.url, carol), roomId);
  expect(screen.shown()).toEqual(from(31, 40));
  const liveCursor = screen.page()?.liveCursor;
  await send(dave, roomId, '41');
  await expect.poll(screen.shown).toEqual(from(31, 41));

  screen.pageUp();
  await expect.poll(screen.shown).toEqual(from(21, 41));
  screen.pageUp();
  await expect.poll(screen.shown).toEqual(from(11, 41));
  expect(screen.page()).toMatchObject({ liveCursor, pageInfo: { hasPreviousPage: true } });

  await screen.send('42');
  await expect.poll(screen.shown).toEqual(from(11, 42));
  const optimistic = screen.renders.find(({ nodes }) => nodes.at(-1)?.seq === 0);
  expect(optimistic?.nodes.at(-1)).toMatchObject({
    text: '42',
    author: { id: carol.userId, displayName: carol.username },
  });

  await first.stop();
  const sending = screen.send('own');
  await expect.poll(screen.shown).toEqual([...from(11, 42), 0]);
  for (const each of from(1, 60)) await send(at(other.url, dave), roomId, `meanwhile ${each}`);
  const again = await startSibling(first, { env: { PORT: new URL(first.url).port } });
  await sending;
  const last = await send(at(again.url, dave), roomId, 'the last');

  await expect.poll(screen.shown, { timeout: 10_000 }).toEqual(from(11, last.node.seq));
  expect(last.node.seq).toBe(42 + 60 + 2);
  expectUseful(screen.renders);
  expect(screen.errors).toEqual([]);
  expect(screen.page()?.liveCursor).toBe(liveCursor);
}, 60_000);

test('should go on after an event of which a field failed', async () => {
  const roomId = await createRoom(alice);
  replaceResolver('author', (resolve) => (source, args, context, info) => {
    if (source.text === 'two') throw new Error('a failure');
    return resolve(source, args, context, info);
  });
  const screen = await openScreen(createUrql(parley.url, alice), roomId);
  for (const text of ['one', 'two', 'three']) await send(alice, roomId, text);

  await expect.poll(screen.shown).toEqual([1, 2, 3]);
  expect(screen.page()?.nodes.map(({ author }) => author === null)).toEqual([false, true, false]);
  // Of the subscription, and of the query that shows the message.
  expect(screen.errors.length).toBeGreaterThan(0);
});

test.each([
  ['messageAdded', MESSAGE_ADDED],
  ['roomEvents', ROOM_EVENTS],
])('should show the restored history, and nothing else, after a gap in %s', async (_, subscription) => {
  const own = await startParley();
  const carol = await signUp(own.url);
  const roomId = await createRoom(carol);
  for (const text of ['one', 'two', 'lost']) await send(carol, roomId, text);
  const screen = await openScreen(createUrql(own.url, carol), roomId, subscription);
  expect(screen.shown()).toEqual([1, 2, 3]);
  const liveCursor = screen.page()?.liveCursor ?? '';

  const sql = postgres(own.database.url, { max: 1 });
  await sql`delete from messages where text = 'lost'`;
  await sql.end();
  const epoch = Buffer.from(liveCursor, 'base64url').toString('hex', 17, 25);
  await openStores(own.database).epochs.renew(epoch);

  await expect.poll(screen.shown, { timeout: 5000 }).toEqual([1, 2]);
  for (const text of ['three', 'four']) await send(carol, roomId, text);
  await expect.poll(screen.shown).toEqual([1, 2, 3, 4]);
  expect(screen.page()?.nodes.map(({ text }) => text)).toEqual(['one', 'two', 'three', 'four']);
  expectUseful(screen.renders);
  expect(screen.errors).toEqual([]);
});

test('should show the same list below `Room.messages`', async () => {
  const roomId = await createRoom(alice);
  for (const each of from(1, 20)) await send(alice, roomId, `${each}`);
  const urql = createUrql(parley.url, alice);
  const screen = await openScreen(urql, roomId);
  let list: Page | undefined;
  watch(urql.query(ROOM_OBJECT, { roomId }), ({ data }) => {
    list = (data as { room?: { messages?: Page } } | undefined)?.room?.messages;
  });
  await expect.poll(() => list?.nodes.map(({ seq }) => seq)).toEqual(from(11, 20));
  await send(alice, roomId, 'live');

  await expect.poll(screen.shown).toEqual(from(11, 21));
  expect(list?.nodes.map(({ seq }) => seq)).toEqual(from(11, 21));
  expect(list?.pageInfo).toEqual({
    hasPreviousPage: true,
    startCursor: screen.page()?.pageInfo.startCursor,
  });
});

test('should leave out messages below a hole, and page up to them', async () => {
  const roomId = await createRoom(alice);
  for (const each of from(1, 12)) await send(alice, roomId, `${each}`);
  const urql = createUrql(parley.url, alice);
  const roomOf = (data: unknown): Page | undefined => (data as { roomMessages?: Page }).roomMessages;
  const first = await urql.query(ROOM, { roomId, before: null }).toPromise();
  expect(roomOf(first.data)?.nodes.map(({ seq }) => seq)).toEqual(from(3, 12));

  // Nobody listens meanwhile.
  for (const each of from(13, 30)) await send(alice, roomId, `${each}`);
  await urql.query(ROOM, { roomId, before: null }, { requestPolicy: 'network-only' }).toPromise();
  const screen = await openScreen(urql, roomId);
  expect(screen.shown()).toEqual(from(21, 30));
  screen.pageUp();
  await expect.poll(screen.shown).toEqual(from(11, 30));
});
