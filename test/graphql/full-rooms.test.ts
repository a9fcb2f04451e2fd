import postgres from 'postgres';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { newId } from '../../src/domain/id.js';
import { decodeGlobalId } from '../../src/graphql/schema/global-id.js';
import { createRoom, joinRoom, LOBBY, type Person, page, send, signUp } from '../helpers/client.js';
import { openStores } from '../helpers/database.js';
import { startParley, type TestParley } from '../helpers/parley.js';
import { openSocketOf } from '../helpers/raw-socket.js';
import type { Stores } from '../helpers/stores.js';

/* No counter of a room ends: before it does, the room is full, and says so. */

const MAX_SEQ = 2 ** 31 - 1;
/** The largest `rev` that a cursor holds. */
const MAX_REV = 2 ** 48 - 1;
/** The numbers that are left for removals, beside one for each member. */
const RESERVE = 1_000_000;

const SEND = `mutation ($input: SendMessageInput!) {
  sendMessage(input: $input) { __typename ... on SendMessagePayload { edge { node { id seq } } } ... on UserError { message } }
}`;
const JOIN =
  'mutation ($input: JoinRoomInput!) { joinRoom(input: $input) { __typename ... on UserError { message } } }';

const FULL = {
  message: 'The room is full: it has used up its message numbers. Create a new room with `createRoom`.',
  extensions: { code: 'LIMIT_EXCEEDED' },
};

let parley: TestParley;
let stores: Stores;
let sql: postgres.Sql;
let alice: Person;
let bob: Person;
let carol: Person;
let roomId: string;

beforeAll(async () => {
  parley = await startParley();
  stores = openStores(parley.database);
  sql = postgres({ ...parley.database.connection, onnotice: () => {} });
  [alice, bob, carol] = await Promise.all([signUp(parley.url), signUp(parley.url), signUp(parley.url)]);
});

/** A room of alice and bob. */
beforeEach(async () => {
  roomId = await createRoom(alice);
  await joinRoom(bob, roomId);
});

afterAll(async () => {
  await sql.end();
  await stores.close();
  expect(parley.log.filter((line) => /"level":(50|60)/.test(line))).toEqual([]);
});

const rowOf = (id: string) => decodeGlobalId(id)?.id ?? '';
const sendAs = (person: Person, text: string, clientMessageId?: string) =>
  person.request(SEND, { input: { roomId, text, ...(clientMessageId ? { clientMessageId } : {}) } });
const headOf = async () => (await stores.messages.readHeads([rowOf(roomId)])).heads.get(rowOf(roomId))?.head;

/** Moves a room's head to this point, by the numbers of its newest message. */
async function moveTo(
  { seq, rev = seq }: { seq?: number | undefined; rev?: number | undefined },
  room = roomId,
) {
  await sql`update messages set seq = coalesce(${seq ?? null}, seq), rev = coalesce(${rev ?? null}, rev)
    where room_id = ${rowOf(room)} and seq = (select max(seq) from messages where room_id = ${rowOf(room)})`;
}

/** The last message takes the last number that is not reserved. */
const last = (end: number, members = 2) => end - RESERVE - members;

test('the last message of a room is delivered, and the next one fails with LIMIT_EXCEEDED', async () => {
  await moveTo({ seq: last(MAX_SEQ) - 1 });
  const socket = await openSocketOf(bob, parley.webSocketUrl);
  const { liveCursor: after } = await page(bob, roomId, { last: 0 });
  socket.subscribe('1', { roomId, after });
  const sent = await sendAs(alice, 'the last one', 'last');
  expect(sent).toMatchObject({ data: { sendMessage: { edge: { node: { seq: last(MAX_SEQ) } } } } });
  const [next] = await socket.received('next', '1');
  expect(next?.payload.data?.messageAdded.node.seq).toBe(last(MAX_SEQ));
  socket.destroy();

  expect((await sendAs(alice, 'one too many')).errors).toMatchObject([FULL]);
  expect(await headOf()).toMatchObject({ seq: last(MAX_SEQ) });
  // A retry of a stored message stores nothing.
  expect(await sendAs(alice, 'the last one', 'last')).toEqual(sent);
  expect(await sendAs(alice, 'another text', 'last')).toMatchObject({
    data: { sendMessage: { __typename: 'IdempotencyConflictError' } },
  });
  expect(await sendAs(carol, 'from outside')).toMatchObject({
    data: { sendMessage: { __typename: 'NotAMemberError' } },
  });
  const { edges } = await page(bob, roomId, { last: 1 });
  expect(edges.map(({ node }) => node.text)).toEqual(['the last one']);
});

test('of messages that are sent together, those that fit are stored', async () => {
  await moveTo({ seq: last(MAX_SEQ) - 2 });
  const answers = await Promise.all(['1', '2', '3', '4', '5'].map((text) => sendAs(alice, text)));
  expect(answers.filter(({ errors }) => errors === undefined)).toHaveLength(2);
  for (const { errors } of answers) if (errors) expect(errors).toMatchObject([FULL]);
  expect(await headOf()).toMatchObject({ seq: last(MAX_SEQ) });
});

describe.each([
  ['seq', { seq: last(MAX_SEQ) }],
  ['rev', { rev: last(MAX_REV) }],
])('in a room that has used up its `%s`', (_counter, head) => {
  beforeEach(() => moveTo(head));

  test('a send fails, and nothing is stored', async () => {
    expect((await sendAs(alice, 'x')).errors).toMatchObject([FULL]);
    expect(await sql`select from messages where room_id = ${rowOf(roomId)} and type = 'TEXT'`).toHaveLength(
      0,
    );
  });

  test('a join fails, and members stay members', async () => {
    expect((await carol.request(JOIN, { input: { roomId } })).errors).toMatchObject([FULL]);
    expect(await bob.request(JOIN, { input: { roomId } })).toMatchObject({
      data: { joinRoom: { __typename: 'JoinRoomPayload' } },
    });
    const { data } = await alice.request('query ($id: ID!) { room(id: $id) { memberCount } }', {
      id: roomId,
    });
    expect(data).toEqual({ room: { memberCount: 2 } });
  });

  test('every member can be removed, down to the last number', async () => {
    const before = await headOf();
    for (const { userId } of [bob, alice]) {
      const change = await stores.rooms.removeMember({
        roomId: rowOf(roomId),
        userId: rowOf(userId),
        actorId: rowOf(alice.userId),
        messageId: newId(),
      });
      expect(change).not.toBeNull();
    }
    expect(await headOf()).toEqual({ seq: (before?.seq ?? 0) + 2, rev: (before?.rev ?? 0) + 2 });
    // A removal frees no number: the reserve is for removals only.
    expect((await carol.request(JOIN, { input: { roomId } })).errors).toMatchObject([FULL]);
  });

  test('a private room stays hidden', async () => {
    await sql`update rooms set kind = 'PRIVATE' where id = ${rowOf(roomId)}`;
    expect(await carol.request(JOIN, { input: { roomId } })).toMatchObject({
      data: { joinRoom: { __typename: 'NotFoundError' } },
    });
    expect(await sendAs(carol, 'x')).toMatchObject({
      data: { sendMessage: { __typename: 'NotFoundError' } },
    });
  });
});

test('an edit takes the last `rev` and the last `revision`, and the next edit is refused', async () => {
  const { node } = await send(alice, roomId, 'first');
  const edit = (text: string) =>
    stores.messages.edit({
      roomId: rowOf(roomId),
      messageId: rowOf(node.id),
      editorId: rowOf(alice.userId),
      text,
    });
  await moveTo({ rev: last(MAX_REV) - 1 });
  expect(await edit('second')).toMatchObject({ kind: 'edited', change: { head: { rev: last(MAX_REV) } } });
  expect(await edit('third')).toEqual({ kind: 'full' });
  await moveTo({ rev: 1000 });
  await sql`update messages set rev = 1000, revision = ${MAX_SEQ - 1} where id = ${rowOf(node.id)}`;
  expect(await edit('fourth')).toMatchObject({
    kind: 'edited',
    change: { messages: [{ revision: MAX_SEQ }] },
  });
  expect(await edit('fifth')).toEqual({ kind: 'full' });
  const found = await alice.request(
    'query ($id: ID!) { node(id: $id) { ... on Message { text revision } } }',
    {
      id: node.id,
    },
  );
  expect(found.data).toEqual({ node: { text: 'fourth', revision: MAX_SEQ } });
});

test('pages and subscriptions work up to the largest numbers', async () => {
  await send(alice, roomId, 'before');
  await moveTo({ seq: last(MAX_SEQ) - 1, rev: last(MAX_REV) - 1 });
  const { node } = await send(alice, roomId, 'the last one');
  const { liveCursor, pageInfo } = await page(bob, roomId, { last: 1 });
  expect(pageInfo).toMatchObject({ hasNextPage: false, hasPreviousPage: true });
  const events = await openSocketOf(bob, parley.webSocketUrl);
  events.subscribe(
    '1',
    { roomId, after: liveCursor },
    'subscription ($roomId: ID!, $after: String) { roomEvents(roomId: $roomId, after: $after) { __typename cursor } }',
  );
  const [caughtUp] = await events.received('next', '1');
  expect(caughtUp?.payload).toMatchObject({ data: { roomEvents: { __typename: 'CaughtUpEvent' } } });
  events.destroy();
  expect(node.seq).toBe(last(MAX_SEQ));
});

test('a sign-up succeeds when the lobby is full', async () => {
  await moveTo({ seq: MAX_SEQ - RESERVE }, LOBBY);
  const dave = await signUp(parley.url);
  const { data } = await dave.request('query ($id: ID!) { room(id: $id) { viewerIsMember } }', { id: LOBBY });
  expect(data).toEqual({ room: { viewerIsMember: false } });
});
