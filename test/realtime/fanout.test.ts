import { randomUUID } from 'node:crypto';
import { beforeAll, expect, onTestFinished, test, vi } from 'vitest';
import { ForbiddenError } from '../../src/domain/errors.js';
import { type Context, viewerOf } from '../../src/graphql/context.js';
import { rowId } from '../../src/graphql/schema/global-id.js';
import * as subscribing from '../../src/graphql/subscribe.js';
import * as userStorage from '../../src/storage/user.js';
import { GroupSubscriber } from '../../src/transport/websocket/group.js';
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
import { replaceResolver } from '../helpers/replace-resolver.js';

/*
 * Live subscribers are served in groups, which write frames themselves. Subscribers with a backlog are served alone, by
 * the pipeline and graphql-ws. Both must send the same bytes.
 */

let parley: TestParley;
let alice: Person;
let bob: Person;
let roomId: string;
/** How often users were loaded by id. */
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
  ['messageAdded', MESSAGE_ADDED],
  ['roomEvents', ROOM_EVENTS],
  [
    'aliases and __typename',
    `subscription ($roomId: ID!, $after: String) {
      a: messageAdded(roomId: $roomId, after: $after) { __typename c: cursor n: node { __typename who: author { __typename id } } }
    }`,
  ],
  [
    'fragments on types and interfaces, nested and repeated',
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
    'fields that depend on the viewer',
    `subscription ($roomId: ID!, $after: String) {
      messageAdded(roomId: $roomId, after: $after) {
        cursor
        node { text room { viewerTitle viewerIsMember } }
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

/** The frames with messages, without `CaughtUpEvent`, which depends on when the subscription started. */
const messageFrames = (socket: RawSocket): string[] =>
  nextsOf(socket).filter((text) => !text.includes('CaughtUpEvent'));

async function subscribe(person: Person, query: string, id: string, variables: object): Promise<RawSocket> {
  const socket = await openSocketOf(person, parley.webSocketUrl);
  onTestFinished(() => socket.destroy());
  const operationName = query.includes('subscription Live') ? 'Live' : undefined;
  socket.send({ type: 'subscribe', id, payload: { query, variables, operationName } });
  return socket;
}

/** Resolves when the socket has received `count` frames with messages. */
const received = (socket: RawSocket, count: number) =>
  expect.poll(() => messageFrames(socket).length, { timeout: 10_000 }).toBeGreaterThanOrEqual(count);

/** Live subscriptions, each in its group. */
async function subscribeLive(query: string, people: readonly Person[]): Promise<RawSocket[]> {
  const after = (await page(alice, roomId)).liveCursor;
  const sockets = await Promise.all(
    people.map((person) => subscribe(person, query, 'live', { roomId, after })),
  );
  for (const count of [1, 2]) {
    await send(alice, roomId, 'to be live');
    await Promise.all(sockets.map((socket) => received(socket, count)));
  }
  return sockets;
}

/**
 * Compares the frames of live subscribers with those of subscribers who resume, byte for byte.
 *
 * @returns the frames of the first live subscriber.
 */
async function compareFrames(query: string, variables: object): Promise<readonly string[]> {
  // An id with a non-ASCII character and characters that JSON escapes.
  const id = 'ä"\\ 1';
  const before = (await page(alice, roomId)).liveCursor;
  const shared = vi.spyOn(subscribing, 'executeShared');
  const live = await Promise.all(
    [alice, bob, alice].map((person) =>
      subscribe(person, query, id, { roomId, after: before, ...variables }),
    ),
  );
  await send(alice, roomId, 'to be live');
  await Promise.all(live.map((socket) => received(socket, 1)));
  const texts = ['plain', '"quoted" \\ and\nbroken\u2028 too', 'Grüße 👋 世界', 'x'.repeat(3000)];
  for (const text of texts) await send(bob, roomId, text, randomUUID());
  await Promise.all(live.map((socket) => received(socket, 1 + texts.length)));
  expect(shared.mock.calls.length).toBeGreaterThan(0);
  shared.mockClear();

  for (const [index, person] of [alice, bob, alice].entries()) {
    const alone = await subscribe(person, query, id, { roomId, after: before, ...variables });
    await received(alone, 1 + texts.length);
    expect(shared).not.toHaveBeenCalled();
    const socket = live[index];
    if (!socket) throw new Error('Socket not found.');
    // Removes the ids of errors and the cursors of `roomEvents`, which depend on where a replay starts.
    const normalized = (text: string) =>
      (query === ROOM_EVENTS ? text.replace(/"cursor":"[^"]*"/, '') : text).replace(
        /(?<="INTERNAL","id":")[^"]*/,
        '',
      );
    expect(messageFrames(socket).map(normalized)).toEqual(messageFrames(alone).map(normalized));
  }
  shared.mockRestore();
  return messageFrames(live[0] as RawSocket);
}

test.each(OPERATIONS)('%s: live subscribers receive the same frames as resuming ones', async (_, query) => {
  await compareFrames(query, {});
});

test.each([{ full: true }, { full: false }, { full: true, bare: true }, { full: true, bare: false }])(
  'directives with %o: live subscribers receive the same frames as resuming ones',
  async (variables) => {
    await compareFrames(DIRECTIVES, variables);
  },
);

test('an event is executed once per group, and once per viewer if the results depend on the viewer', async () => {
  const before = (await page(alice, roomId)).liveCursor;
  const dependent = OPERATIONS.find(([name]) => name === 'fields that depend on the viewer')?.[1] ?? '';
  for (const [query, groups] of [
    [MESSAGE_ADDED, 1],
    [dependent, 2],
  ] as const) {
    const sockets = await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        subscribe(index % 2 === 0 ? alice : bob, query, `${index}`, { roomId, after: before }),
      ),
    );
    await send(alice, roomId, 'to be live');
    await Promise.all(sockets.map((socket) => received(socket, 1)));
    const { length } = messageFrames(sockets[0] as RawSocket);
    const shared = vi.spyOn(subscribing, 'executeShared');
    await send(alice, roomId, 'once');
    await Promise.all(sockets.map((socket) => received(socket, length + 1)));
    expect(shared).toHaveBeenCalledTimes(groups);
    shared.mockRestore();
    for (const socket of sockets) socket.destroy();
  }
});

test('neither sending nor delivering nor paging loads authors', async () => {
  const sockets = await subscribeLive(MESSAGE_ADDED, [alice, bob]);
  const { length } = messageFrames(sockets[0] as RawSocket);
  userReads = 0;
  for (let count = 0; count < 10; count++) await send(alice, roomId, 'with its author');
  await Promise.all(sockets.map((socket) => received(socket, length + 10)));
  await page(alice, roomId, { last: 10 });
  expect(userReads).toBe(0);
  await alice.request('{ viewer { user { username } } }');
  expect(userReads).toBe(1);
});

/** Sends a message without selecting any of its fields. */
const sendOnly = (person: Person, text: string) =>
  person.request('mutation ($input: SendMessageInput!) { sendMessage(input: $input) { __typename } }', {
    input: { roomId, text },
  });

function textOf(text: string): string | undefined {
  const frame = JSON.parse(text) as Frame;
  return frame.type === 'next' ? frame.payload.data?.messageAdded.node.text : undefined;
}

test('a failing nullable field is null with its error, for live subscribers as for resuming ones', async () => {
  replaceResolver('clientMessageId', (resolve) => (source, args, context, info) => {
    if (source.text.includes('quoted')) throw new Error('a secret of the database');
    if (source.text.includes('Grüße')) throw new ForbiddenError('a public message');
    return resolve(source, args, context, info);
  });
  const query = `subscription ($roomId: ID!, $after: String) {
    messageAdded(roomId: $roomId, after: $after) { cursor node { text mine: clientMessageId } }
  }`;

  const failed = (await compareFrames(query, {})).filter((text) => text.includes('"errors"'));
  expect(failed).toHaveLength(2);
  expect(failed[0]).toContain('"mine":null');
  expect(failed[0]).toContain('"path":["messageAdded","node","mine"]');
  expect(failed.join()).not.toContain('secret');
});

test('slow resolvers run concurrently, and do not change the order of events', async () => {
  const sockets = await subscribeLive(MESSAGE_ADDED, [alice, bob]);
  const { length } = messageFrames(sockets[0] as RawSocket);
  const started: string[] = [];
  const ends: (() => void)[] = [];
  replaceResolver('text', (resolve) => async (source, args, context, info) => {
    started.push(source.text);
    await new Promise<void>((end) => ends.push(end));
    return resolve(source, args, context, info);
  });
  for (const text of ['one', 'two', 'three']) await sendOnly(alice, text);
  // Once for both sockets, and no event waits for the previous one.
  await expect.poll(() => [...started]).toEqual(['one', 'two', 'three']);
  for (const end of ends.reverse()) {
    end();
    await new Promise(setImmediate);
  }
  await Promise.all(sockets.map((socket) => received(socket, length + 3)));
  for (const socket of sockets)
    expect(messageFrames(socket).slice(length).map(textOf)).toEqual(['one', 'two', 'three']);
});

test('a subscriber who joins while an event is executed gets no duplicate of it and no gap after it', async () => {
  const [early] = (await subscribeLive(MESSAGE_ADDED, [alice])) as [RawSocket];
  const { length } = messageFrames(early);
  const ends: (() => void)[] = [];
  replaceResolver('text', (resolve) => async (source, args, context, info) => {
    if (source.text === 'slow' && ends.length === 0) await new Promise<void>((end) => ends.push(end));
    return resolve(source, args, context, info);
  });
  await sendOnly(alice, 'slow');
  await expect.poll(() => ends.length).toBe(1);
  const after = (await page(alice, roomId, { last: 1 })).liveCursor;
  const joined = vi.spyOn(GroupSubscriber.prototype, 'join');
  onTestFinished(() => void joined.mockRestore());
  const late = await subscribe(bob, MESSAGE_ADDED, 'late', { roomId, after });
  // It is now in the group, which has yet to deliver an event that the subscriber already has.
  await expect.poll(() => joined.mock.calls.length).toBe(1);
  await sendOnly(alice, 'next');
  expect(messageFrames(early)).toHaveLength(length);
  ends[0]?.();
  await Promise.all([received(early, length + 2), received(late, 1)]);
  expect(messageFrames(early).slice(length).map(textOf)).toEqual(['slow', 'next']);
  expect(messageFrames(late).map(textOf)).toEqual(['next']);
});

test('subscribers who resume from different cursors share a group', async () => {
  const cursors = [(await page(alice, roomId)).liveCursor];
  for (const text of ['one', 'two']) cursors.push((await send(alice, roomId, text)).cursor);
  const sockets = await Promise.all(
    cursors.map((after) => subscribe(alice, MESSAGE_ADDED, 'back', { roomId, after })),
  );
  // Each receives its backlog first.
  const allReceived = (sent: number) =>
    Promise.all(sockets.map((socket, index) => received(socket, sent + 2 - index)));
  for (const sent of [1, 2]) {
    await send(alice, roomId, 'to be live');
    await allReceived(sent);
  }
  const shared = vi.spyOn(subscribing, 'executeShared');
  onTestFinished(() => void shared.mockRestore());
  await send(alice, roomId, 'once');
  await allReceived(3);
  expect(shared).toHaveBeenCalledTimes(1);
});

test('an event that cannot be delivered ends the operation of every subscriber of its group with one error', async () => {
  const sockets = await subscribeLive(MESSAGE_ADDED, [alice, bob]);
  replaceResolver('text', (resolve) => (source, args, context, info) => {
    if (source.text === 'broken') throw new Error('It has no text.');
    return resolve(source, args, context, info);
  });
  await sendOnly(alice, 'broken');
  for (const socket of sockets) {
    const [error] = await socket.received('error', 'live');
    expect(error?.payload[0]?.extensions?.code).toBe('SERVICE_UNAVAILABLE');
  }
});

test('an unmarked field that reads the viewer fails in a group, and each subscriber then receives its own value', async () => {
  const sockets = await subscribeLive(MESSAGE_ADDED, [alice, bob]);
  const { length } = messageFrames(sockets[0] as RawSocket);
  replaceResolver('text', (resolve) => (source, args, context, info) => {
    const text = resolve(source, args, context, info);
    return text === 'whose?' ? viewerOf(context as Context).userId : text;
  });
  await sendOnly(alice, 'whose?');
  await Promise.all(sockets.map((socket) => received(socket, length + 1)));
  const texts = sockets.map((socket) => textOf(messageFrames(socket).at(-1) ?? ''));
  expect(texts).toEqual([rowId('User', alice.userId), rowId('User', bob.userId)]);
});
