import { buildSchema, printSchema } from 'graphql';
import postgres from 'postgres';
import { beforeAll, describe, expect, test } from 'vitest';
import { decodeMessageCursor, encodeMessageCursor } from '../../src/domain/cursor.js';
import { newId } from '../../src/domain/id.js';
import { encodeGlobalId, rowId } from '../../src/graphql/schema/global-id.js';
import { schema } from '../../src/graphql/schema/index.js';
import { createRoom, type Person, page, request, signUp } from '../helpers/client.js';
import { openStores } from '../helpers/database.js';
import { openEventStream } from '../helpers/event-stream.js';
import { startParley, type TestParley } from '../helpers/parley.js';
import { generateProbes, type Probe, type Values } from '../helpers/probes.js';
import { openRawSocket, openSocketOf } from '../helpers/raw-socket.js';

/** Everything that the schema offers, tried on a private room by those who may not know of it. */

const MARK = 'seen-by-members-only';
const CLIENT_MESSAGE_ID = `${MARK}-key`;
/** How long a subscription that gets no answer is watched while the owner sends, in ms. */
const WATCH_MS = 3000;

/** Fields that show a member nothing of the room. */
const WITHOUT_ROOM = new Set([
  'Query.user',
  'Query.rooms',
  'Mutation.createRoom',
  'Mutation.login',
  'Mutation.signUp',
  'Mutation.updateProfile',
]);

let parley: TestParley;
let owner: Person;
let room: { id: string; messageId: string; cursors: string[]; viewerId: string };
let outsiders: Record<'nobody' | 'a stranger' | 'a former member', Person | null>;
const names = ['nobody', 'a stranger', 'a former member'] as const;

beforeAll(async () => {
  parley = await startParley();
  owner = await signUp(parley.url);
  const former = await signUp(parley.url);
  outsiders = { nobody: null, 'a stranger': await signUp(parley.url), 'a former member': former };
  const id = await createRoom(owner, MARK, 'PRIVATE');
  const messageId = await sendMarked(id, CLIENT_MESSAGE_ID);
  const { edges, liveCursor } = await page(owner, id);
  const { data } = await owner.request<{ viewer: { id: string } }>('{ viewer { id } }');
  room = { id, messageId, cursors: [liveCursor, edges[0]?.cursor ?? ''], viewerId: data?.viewer.id ?? '' };
  await wasMember(former, id);
});

async function sendMarked(roomId: string, clientMessageId: string): Promise<string> {
  const { data } = await owner.request<{ sendMessage: { edge: { node: { id: string } } } }>(
    `mutation ($input: SendMessageInput!) {
      sendMessage(input: $input) { ... on SendMessagePayload { edge { node { id } } } }
    }`,
    { input: { roomId, text: MARK, clientMessageId } },
  );
  if (!data) throw new Error('The owner could not send.');
  return data.sendMessage.edge.node.id;
}

/** Makes somebody a member of a private room and removes them again, which the API does not offer yet. */
async function wasMember(person: Person, roomId: string): Promise<void> {
  const { rooms, close } = openStores(parley.database);
  const [id, userId] = [rowId('Room', roomId) ?? '', rowId('User', person.userId) ?? ''];
  const sql = postgres(parley.database.url, { max: 1 });
  await sql`insert into members (room_id, user_id) values (${id}, ${userId})`;
  await sql`update rooms set member_count = member_count + 1 where id = ${id}`;
  await sql.end();
  await rooms.removeMember({ roomId: id, userId, actorId: userId, messageId: newId() });
  await close();
}

/** References to the room, or to objects of the same types that do not exist. */
function valuesOf(target: 'the room' | 'nothing'): Values {
  const unknown = (type: 'Room' | 'Message' | 'Viewer') => encodeGlobalId(type, newId());
  const [roomId, messageId, viewerId] =
    target === 'the room'
      ? [room.id, room.messageId, room.viewerId]
      : [unknown('Room'), unknown('Message'), unknown('Viewer')];
  return {
    id: [roomId, messageId, viewerId],
    roomId: [roomId],
    after: room.cursors.map((cursor) => inRoom(cursor, roomId)),
    before: room.cursors.map((cursor) => inRoom(cursor, roomId)),
    first: [2],
    last: [2],
    clientMessageId: [CLIENT_MESSAGE_ID],
    text: ['by an outsider'],
    username: [owner.username],
    password: ['not the password'],
    name: ['Another room'],
    topic: ['Another topic'],
    displayName: ['Somebody'],
    avatarUrl: ['https://example.com/picture.png'],
  };
}

/** The same cursor, of another room. */
function inRoom(cursor: string, roomId: string): string {
  const decoded = decodeMessageCursor(cursor, rowId('Room', room.id) ?? '', 'after');
  return encodeMessageCursor({ ...decoded, roomId: rowId('Room', roomId) ?? '' });
}

async function run(person: Person | null, { document }: Probe): Promise<string> {
  return JSON.stringify(await request(parley.url, document, {}, person?.token));
}

/** What somebody receives by a subscription while the owner sends a message. */
async function watch(
  person: Person | null,
  { document }: Probe,
  transport: 'WebSocket' | 'SSE',
): Promise<string> {
  if (transport === 'SSE') {
    const stream = await openEventStream(parley.url, person, {}, document);
    await sendMarked(room.id, newId());
    await Promise.race([stream.ended, new Promise((resolve) => setTimeout(resolve, WATCH_MS))]);
    stream.abort();
    return JSON.stringify(stream.events.map(({ result }) => result));
  }
  const socket = person
    ? await openSocketOf(person, parley.webSocketUrl)
    : await openRawSocket(parley.webSocketUrl);
  if (!person) socket.send({ type: 'connection_init' });
  await socket.received('connection_ack');
  socket.subscribe('1', {}, document);
  await sendMarked(room.id, newId());
  await Promise.race([
    Promise.any([socket.received('next'), socket.received('error')]),
    new Promise((resolve) => setTimeout(resolve, WATCH_MS)),
  ]);
  socket.destroy();
  return socket.texts.join('\n');
}

/** An answer without the ids, which differ between two references of one kind. */
function shape(answer: string): string {
  return answer.replaceAll(/[RMUV][\w-]{22}/g, 'ID');
}

const probesOf = (target: 'the room' | 'nothing', kind: 'subscription' | 'others'): Probe[] =>
  generateProbes(schema, valuesOf(target)).filter(
    (probe) => (probe.kind === 'subscription') === (kind === 'subscription'),
  );

describe.each(names)('%s', (name) => {
  test('sees nothing of a private room by any query or mutation, not even that it exists', async () => {
    const person = outsiders[name];
    const probes = probesOf('the room', 'others');
    const twins = probesOf('nothing', 'others');
    expect(probes.length).toBeGreaterThan(50);
    for (const [index, probe] of probes.entries()) {
      const answer = await run(person, probe);
      expect(answer, probe.document).not.toContain(MARK);
      const twin = twins[index];
      if (twin && !WITHOUT_ROOM.has(probe.field))
        expect(shape(answer), probe.document).toBe(shape(await run(person, twin)));
    }
  });

  test.each(['WebSocket', 'SSE'] as const)('receives nothing of a private room by %s', async (transport) => {
    const person = outsiders[name];
    const probes = probesOf('the room', 'subscription');
    const twins = probesOf('nothing', 'subscription');
    for (const [index, probe] of probes.entries()) {
      const answer = await watch(person, probe, transport);
      expect(answer, probe.document).not.toContain(MARK);
      expect(answer, probe.document).toMatch(/"code":"(?:BAD_USER_INPUT|FORBIDDEN|UNAUTHENTICATED)"/);
      const twin = twins[index];
      if (twin) expect(shape(answer), probe.document).toBe(shape(await watch(person, twin, transport)));
    }
  });
});

test('nothing of an outsider has reached the room', async () => {
  const { edges } = await page(owner, room.id);
  expect(edges.length).toBeGreaterThan(0);
  expect(JSON.stringify(edges)).not.toContain('by an outsider');
  const { data } = await owner.request<{ room: { name: string; memberCount: number } }>(
    'query ($id: ID!) { room(id: $id) { name memberCount } }',
    { id: room.id },
  );
  expect(data?.room).toEqual({ name: MARK, memberCount: 1 });
});

test('the owner sees the room by every field, so the sweep would notice if others did', async () => {
  const seen = new Set<string>();
  const all = new Set<string>();
  for (const probe of [...probesOf('the room', 'others'), ...probesOf('the room', 'subscription')]) {
    all.add(probe.field);
    if (WITHOUT_ROOM.has(probe.field) || seen.has(probe.field)) continue;
    const answer =
      probe.kind === 'subscription' ? await watch(owner, probe, 'WebSocket') : await run(owner, probe);
    if (answer.includes(MARK)) seen.add(probe.field);
  }
  expect([...all].filter((field) => !seen.has(field) && !WITHOUT_ROOM.has(field))).toEqual([]);
});

test.each([
  ['extend type Query { poll(pollId: ID!): String }', 'Query.poll(pollId:)'],
  ['extend type Room { poll(pollId: ID!): String }', 'Room.poll(pollId:)'],
  ['extend input SendMessageInput { replyTo: ID }', 'SendMessageInput.replyTo'],
  ['extend type Subscription { typing(typingIn: ID!): String }', 'Subscription.typing(typingIn:)'],
])('a new argument is not left out: %s', (extension, coordinate) => {
  const extended = buildSchema(`${printSchema(schema)} ${extension}`);
  expect(() => generateProbes(extended, valuesOf('the room'))).toThrow(`${coordinate} has no values`);
});

test('a new field is tried without being named anywhere', () => {
  const extended = buildSchema(
    `${printSchema(schema)} extend type Room { secret: String } extend type Query { hidden(id: ID!): Room }`,
  );
  const probes = generateProbes(extended, valuesOf('the room'));
  expect(probes.filter(({ document }) => document.includes('secret')).length).toBeGreaterThan(5);
  expect(probes.filter(({ field }) => field === 'Query.hidden')).toHaveLength(3);
});
