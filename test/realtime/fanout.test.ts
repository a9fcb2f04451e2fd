import { randomUUID } from 'node:crypto';
import { beforeAll, expect, test, vi } from 'vitest';
import * as subscribing from '../../src/graphql/subscribe.js';
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
import { openSocketOf, type RawSocket } from '../helpers/raw-socket.js';

/*
 * Subscribers who are live are served in groups, with frames of our own; who comes from behind is served alone, by the
 * ordinary way. What they are told must be the same to the byte.
 */

let parley: TestParley;
let alice: Person;
let bob: Person;
let roomId: string;

beforeAll(async () => {
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
  const operationName = query.includes('subscription Live') ? 'Live' : undefined;
  socket.send({ type: 'subscribe', id, payload: { query, variables, operationName } });
  return socket;
}

/** Resolves when the socket has been told so much; its operations are live by then. */
const until = (socket: RawSocket, count: number) =>
  expect.poll(() => told(socket).length, { timeout: 10_000 }).toBeGreaterThanOrEqual(count);

async function compare(query: string, variables: object): Promise<void> {
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
    // But for the cursors of everything's events, which a replay gives from where it began.
    const same = (text: string) => (query === ROOM_EVENTS ? text.replace(/"cursor":"[^"]*"/, '') : text);
    expect(told(socket).map(same)).toEqual(told(alone).map(same));
    alone.destroy();
    socket.destroy();
  }
  shared.mockRestore();
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
