import { randomUUID } from 'node:crypto';
import { defaultFieldResolver, type GraphQLFieldResolver, isObjectType } from 'graphql';
import { beforeAll, expect, onTestFinished, test, vi } from 'vitest';
import { ForbiddenError } from '../../src/domain/errors.js';
import { type Context, viewerOf } from '../../src/graphql/context.js';
import { rowId } from '../../src/graphql/schema/global-id.js';
import { schema } from '../../src/graphql/schema/index.js';
import * as subscribing from '../../src/graphql/subscribe.js';
import * as userStorage from '../../src/storage/user.js';
import { Member } from '../../src/transport/websocket/group.js';
import {
  createRoom,
  joinRoom,
  MESSAGE_ADDED,
  type Person,
  page,
  ROOM_EVENTS,
  send,
  signUp,
} from '../helpers/client.js';
import { startParley, type TestParley } from '../helpers/parley.js';
import { type Frame, openSocketOf, type RawSocket } from '../helpers/raw-socket.js';

/*
 * Subscribers who are live are served in groups, with frames of our own; who comes from behind is served alone, by the
 * ordinary way. What they are told must be the same to the byte.
 */

let parley: TestParley;
let alice: Person;
let bob: Person;
let roomId: string;
/** How often users were looked up by their ids. */
let userReads = 0;

beforeAll(async () => {
  const { createUserStore } = userStorage;
  vi.spyOn(userStorage, 'createUserStore').mockImplementation((pool) => {
    const store = createUserStore(pool);
    const findByIds: typeof store.findByIds = (ids) => {
      userReads += 1;
      return store.findByIds(ids);
    };
    return { ...store, findByIds };
  });
  parley = await startParley();
  [alice, bob] = [await signUp(parley.url), await signUp(parley.url)];
  roomId = await createRoom(alice, 'Ein Raum für „Ümläute“ 👋');
  await joinRoom(bob, roomId);
});

const OPERATIONS: readonly (readonly [string, string])[] = [
  ['as clients have it', MESSAGE_ADDED],
  ['everything', ROOM_EVENTS],
  [
    'aliases and __typename',
    `subscription ($roomId: ID!, $after: String) {
      a: messageAdded(roomId: $roomId, after: $after) { __typename c: cursor n: node { __typename who: author { __typename id } } }
    }`,
  ],
  [
    'fragments, of types and of interfaces, nested and repeated',
    `subscription ($roomId: ID!, $after: String) { messageAdded(roomId: $roomId, after: $after) { ...Edge } }
    fragment Edge on MessageEdge { cursor node { ...Text ...Text ... on Node { id } room { name kind topic } } }
    fragment Text on Message { text seq createdAt room { memberCount } }`,
  ],
  [
    'a fragment around the root field',
    `subscription ($roomId: ID!, $after: String) { ...Root }
    fragment Root on Subscription { messageAdded(roomId: $roomId, after: $after) { cursor node { seq } } }`,
  ],
  [
    'what depends on the viewer',
    `subscription ($roomId: ID!, $after: String) {
      messageAdded(roomId: $roomId, after: $after) {
        cursor
        node { text room { viewerTitle viewerIsMember messages(first: 1) { nodes { seq } } } }
      }
    }`,
  ],
  [
    'several operations in one document',
    `query Other { viewer { id } }
    subscription Live($roomId: ID!, $after: String) { messageAdded(roomId: $roomId, after: $after) { cursor node { text } } }`,
  ],
];

const DIRECTIVES = `subscription ($roomId: ID!, $after: String, $full: Boolean!, $bare: Boolean = false) {
  messageAdded(roomId: $roomId, after: $after) {
    cursor
    node { id text @include(if: $full) author @skip(if: $bare) { username } }
  }
}`;

const nextsOf = (socket: RawSocket): string[] =>
  socket.texts.filter((text) => text.includes('"type":"next"'));

/** What of them is of messages: that a stream has caught up is told at other times. */
const told = (socket: RawSocket): string[] =>
  nextsOf(socket).filter((text) => !text.includes('CaughtUpEvent'));

async function subscribed(person: Person, query: string, id: string, variables: object): Promise<RawSocket> {
  const socket = await openSocketOf(person, parley.webSocketUrl);
  onTestFinished(() => socket.destroy());
  const operationName = query.includes('subscription Live') ? 'Live' : undefined;
  socket.send({ type: 'subscribe', id, payload: { query, variables, operationName } });
  return socket;
}

/** Resolves when the socket has been told so much; its operations are live by then. */
const until = (socket: RawSocket, count: number) =>
  expect.poll(() => told(socket).length, { timeout: 10_000 }).toBeGreaterThanOrEqual(count);

/** Subscriptions that have everything, each in its group. */
async function atHead(query: string, people: readonly Person[]): Promise<RawSocket[]> {
  const after = (await page(alice, roomId)).liveCursor;
  const sockets = await Promise.all(
    people.map((person) => subscribed(person, query, 'live', { roomId, after })),
  );
  for (const count of [1, 2]) {
    await send(alice, roomId, 'to be live');
    await Promise.all(sockets.map((socket) => until(socket, count)));
  }
  return sockets;
}

/** @returns what was told at last to all of them, byte for byte. */
async function compare(query: string, variables: object): Promise<readonly string[]> {
  // An id that is JSON in need of escapes, and not of ASCII.
  const id = 'ä"\\ 1';
  const before = (await page(alice, roomId)).liveCursor;
  const shared = vi.spyOn(subscribing, 'executeShared');
  const live = await Promise.all(
    [alice, bob, alice].map((person) =>
      subscribed(person, query, id, { roomId, after: before, ...variables }),
    ),
  );
  await send(alice, roomId, 'to be live');
  await Promise.all(live.map((socket) => until(socket, 1)));
  const texts = ['plain', '"quoted" \\ and\nbroken\u2028 too', 'Grüße 👋 世界', 'x'.repeat(3000)];
  for (const text of texts) await send(bob, roomId, text, randomUUID());
  await Promise.all(live.map((socket) => until(socket, 1 + texts.length)));
  expect(shared.mock.calls.length).toBeGreaterThan(0);
  shared.mockClear();

  for (const [index, person] of [alice, bob, alice].entries()) {
    const alone = await subscribed(person, query, id, { roomId, after: before, ...variables });
    await until(alone, 1 + texts.length);
    expect(shared).not.toHaveBeenCalled();
    const socket = live[index];
    if (!socket) throw new Error('There is no such socket.');
    // But for the cursors of everything's events, which a replay gives from where it began, and the ids of errors.
    const same = (text: string) =>
      (query === ROOM_EVENTS ? text.replace(/"cursor":"[^"]*"/, '') : text).replace(
        /(?<="INTERNAL","id":")[^"]*/,
        '',
      );
    expect(told(socket).map(same)).toEqual(told(alone).map(same));
  }
  shared.mockRestore();
  return told(live[0] as RawSocket);
}

test.each(OPERATIONS)('%s: told alike to those who are live and to those who come back', async (_, query) => {
  await compare(query, {});
});

test.each([{ full: true }, { full: false }, { full: true, bare: true }, { full: true, bare: false }])(
  'directives with %o: told alike to those who are live and to those who come back',
  async (variables) => {
    await compare(DIRECTIVES, variables);
  },
);

test('one event is executed once for all who are told it alike, and once for each viewer where it depends on them', async () => {
  const before = (await page(alice, roomId)).liveCursor;
  const dependent = OPERATIONS.find(([name]) => name === 'what depends on the viewer')?.[1] ?? '';
  for (const [query, groups] of [
    [MESSAGE_ADDED, 1],
    [dependent, 2],
  ] as const) {
    const sockets = await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        subscribed(index % 2 === 0 ? alice : bob, query, `${index}`, { roomId, after: before }),
      ),
    );
    await send(alice, roomId, 'to be live');
    await Promise.all(sockets.map((socket) => until(socket, 1)));
    const { length } = told(sockets[0] as RawSocket);
    const shared = vi.spyOn(subscribing, 'executeShared');
    await send(alice, roomId, 'once');
    await Promise.all(sockets.map((socket) => until(socket, length + 1)));
    expect(shared).toHaveBeenCalledTimes(groups);
    shared.mockRestore();
    for (const socket of sockets) socket.destroy();
  }
});

test('neither sending nor telling reads the author once more', async () => {
  const sockets = await atHead(MESSAGE_ADDED, [alice, bob]);
  const { length } = told(sockets[0] as RawSocket);
  userReads = 0;
  for (let count = 0; count < 10; count++) await send(alice, roomId, 'with its author');
  await Promise.all(sockets.map((socket) => until(socket, length + 10)));
  expect(userReads).toBe(0);
  // What is read later has its authors read once for all of them.
  await page(alice, roomId, { last: 10 });
  expect(userReads).toBe(1);
});

/** Sends without asking for anything of the message. */
const stored = (person: Person, text: string) =>
  person.request('mutation ($input: SendMessageInput!) { sendMessage(input: $input) { __typename } }', {
    input: { roomId, text },
  });

function textOf(text: string): string | undefined {
  const frame = JSON.parse(text) as Frame;
  return frame.type === 'next' ? frame.payload.data?.messageAdded.node.text : undefined;
}

type Resolver = GraphQLFieldResolver<{ text: string }, unknown>;

/** Has a field of messages answered in another way, until the end of the test. */
function resolving(field: string, change: (resolve: Resolver) => Resolver): void {
  const type = schema.getType('Message');
  if (!isObjectType(type)) throw new Error('There is no such type.');
  const { [field]: definition } = type.getFields();
  if (!definition) throw new Error('There is no such field.');
  const before = definition.resolve ?? defaultFieldResolver;
  definition.resolve = change(before);
  onTestFinished(() => {
    definition.resolve = before;
  });
}

test('a nullable field that fails: told alike, null and with its error, to those who are live and to those who come back', async () => {
  resolving('clientMessageId', (resolve) => (source, args, context, info) => {
    if (source.text.includes('quoted')) throw new Error('a secret of the database');
    if (source.text.includes('Grüße')) throw new ForbiddenError('told to nobody else');
    return resolve(source, args, context, info);
  });
  const query = `subscription ($roomId: ID!, $after: String) {
    messageAdded(roomId: $roomId, after: $after) { cursor node { text mine: clientMessageId } }
  }`;

  const failed = (await compare(query, {})).filter((text) => text.includes('"errors"'));
  expect(failed).toHaveLength(2);
  expect(failed[0]).toContain('"mine":null');
  expect(failed[0]).toContain('"path":["messageAdded","node","mine"]');
  expect(failed.join()).not.toContain('secret');
});

test('resolvers that take their time change no order, and are waited for together', async () => {
  const sockets = await atHead(MESSAGE_ADDED, [alice, bob]);
  const { length } = told(sockets[0] as RawSocket);
  const begun: string[] = [];
  const ends: (() => void)[] = [];
  resolving('text', (resolve) => async (source, args, context, info) => {
    begun.push(source.text);
    await new Promise<void>((end) => ends.push(end));
    return resolve(source, args, context, info);
  });
  for (const text of ['one', 'two', 'three']) await stored(alice, text);
  // Of both sockets at once, and none waits for the one before it.
  await expect.poll(() => [...begun]).toEqual(['one', 'two', 'three']);
  for (const end of ends.reverse()) {
    end();
    await new Promise(setImmediate);
  }
  await Promise.all(sockets.map((socket) => until(socket, length + 3)));
  for (const socket of sockets)
    expect(told(socket).slice(length).map(textOf)).toEqual(['one', 'two', 'three']);
});

test('who joins while something is still executed gets neither that, if they have it, nor a hole after it', async () => {
  const [early] = (await atHead(MESSAGE_ADDED, [alice])) as [RawSocket];
  const { length } = told(early);
  const ends: (() => void)[] = [];
  resolving('text', (resolve) => async (source, args, context, info) => {
    if (source.text === 'slow' && ends.length === 0) await new Promise<void>((end) => ends.push(end));
    return resolve(source, args, context, info);
  });
  await stored(alice, 'slow');
  await expect.poll(() => ends.length).toBe(1);
  const after = (await page(alice, roomId, { last: 1 })).liveCursor;
  const joined = vi.spyOn(Member.prototype, 'join');
  onTestFinished(() => void joined.mockRestore());
  const late = await subscribed(bob, MESSAGE_ADDED, 'late', { roomId, after });
  // From here on it is in the group, which still has to tell what they have.
  await expect.poll(() => joined.mock.calls.length).toBe(1);
  await stored(alice, 'next');
  expect(told(early)).toHaveLength(length);
  ends[0]?.();
  await Promise.all([until(early, length + 2), until(late, 1)]);
  expect(told(early).slice(length).map(textOf)).toEqual(['slow', 'next']);
  expect(told(late).map(textOf)).toEqual(['next']);
});

test('those who come back with different cursors are served together', async () => {
  const cursors = [(await page(alice, roomId)).liveCursor];
  for (const text of ['one', 'two']) cursors.push((await send(alice, roomId, text)).cursor);
  const sockets = await Promise.all(
    cursors.map((after) => subscribed(alice, MESSAGE_ADDED, 'back', { roomId, after })),
  );
  // Each of them is told the rest first.
  const all = (sent: number) => Promise.all(sockets.map((socket, index) => until(socket, sent + 2 - index)));
  for (const sent of [1, 2]) {
    await send(alice, roomId, 'to be live');
    await all(sent);
  }
  const shared = vi.spyOn(subscribing, 'executeShared');
  onTestFinished(() => void shared.mockRestore());
  await send(alice, roomId, 'once');
  await all(3);
  expect(shared).toHaveBeenCalledTimes(1);
});

test('an event that can not be told ends the operations of all of a group, each told once', async () => {
  const sockets = await atHead(MESSAGE_ADDED, [alice, bob]);
  resolving('text', (resolve) => (source, args, context, info) => {
    if (source.text === 'untold') throw new Error('It has no text.');
    return resolve(source, args, context, info);
  });
  await stored(alice, 'untold');
  for (const socket of sockets) {
    const [error] = await socket.received('error', 'live');
    expect(error?.payload[0]?.extensions?.code).toBe('SERVICE_UNAVAILABLE');
  }
});

test('a field that asks for the viewer without being marked fails in a group, and each viewer is told their own', async () => {
  const sockets = await atHead(MESSAGE_ADDED, [alice, bob]);
  const { length } = told(sockets[0] as RawSocket);
  resolving('text', (resolve) => (source, args, context, info) => {
    const text = resolve(source, args, context, info);
    return text === 'whose?' ? viewerOf(context as Context).userId : text;
  });
  await stored(alice, 'whose?');
  await Promise.all(sockets.map((socket) => until(socket, length + 1)));
  const texts = sockets.map((socket) => textOf(told(socket).at(-1) ?? ''));
  expect(texts).toEqual([rowId('User', alice.userId), rowId('User', bob.userId)]);
});
