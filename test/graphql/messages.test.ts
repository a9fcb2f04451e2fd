import { randomUUID } from 'node:crypto';
import { type GraphQLInputType, getNamedType, isInputObjectType, isNonNullType } from 'graphql';
import postgres from 'postgres';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { decodeMessageCursor, encodeMessageCursor, encodeRoomCursor } from '../../src/domain/cursor.js';
import { newId } from '../../src/domain/id.js';
import { rowId } from '../../src/graphql/schema/global-id.js';
import { schema } from '../../src/graphql/schema/index.js';
import {
  connect,
  createRoom,
  EDGE_FIELDS,
  type Edge,
  joinRoom,
  LOBBY,
  type Person,
  page,
  request,
  send,
  signUp,
  subscribe,
} from '../helpers/client.js';
import { startParley, type TestParley } from '../helpers/parley.js';

let parley: TestParley;
let sql: postgres.Sql;
let alice: Person;
let bob: Person;
/** Contains twelve messages. No test adds another. */
let roomId: string;
let edges: readonly Edge[];

beforeAll(async () => {
  parley = await startParley();
  sql = postgres(parley.database.url);
  alice = await signUp(parley.url);
  bob = await signUp(parley.url);
  roomId = await createRoom(alice);
  for (let count = 1; count <= 12; count += 1) await send(alice, roomId, `${count}`);
  edges = (await page(alice, roomId)).edges;
});

afterAll(async () => {
  await sql?.end();
});

const numbers = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i);
const seqs = (found: readonly Edge[]) => found.map(({ node }) => node.seq);
const cursorOf = (seq: number) => edges[seq - 1]?.cursor ?? '';
const uuidOf = (room: string) => rowId('Room', room) ?? '';
const epoch = () => decodeMessageCursor(cursorOf(1), uuidOf(roomId), '').epoch;

interface SendResult {
  readonly __typename: string;
  readonly edge?: Edge;
  readonly issues?: readonly { readonly field: string; readonly code: string }[];
  readonly existing?: { readonly id: string; readonly text: string };
}

async function trySend(person: Person, input: object): Promise<SendResult> {
  const { data, errors } = await person.request<{ sendMessage: SendResult }>(
    `mutation ($input: SendMessageInput!) {
      sendMessage(input: $input) {
        __typename
        ... on SendMessagePayload { edge { ${EDGE_FIELDS} } }
        ... on ValidationError { issues { field code } }
        ... on IdempotencyConflictError { existing { id text } }
      }
    }`,
    { input },
  );
  if (!data) throw new Error(JSON.stringify(errors));
  return data.sendMessage;
}

test.each([
  ['one character', 'x'],
  ['4,000 letters', 'x'.repeat(4000)],
  ['4,000 emoji', '🎉'.repeat(4000)],
  ['blanks and line breaks', ' \n\t '],
  ['a decomposed letter', 'zu\u0308rich'],
  ['characters that only look like a NUL', '\\0 \\u0000 %00 \u2400'],
  ['noncharacters and private use', '\ufffe\uffff\u{10ffff}\ue000'],
  ['right-to-left marks and joiners', '\u202eab\u200d\u2066'],
])('a text of %s is stored as given', async (_, text) => {
  const sent = await send(alice, LOBBY, text);
  expect(sent.node.text).toBe(text);
  expect((await page(alice, LOBBY)).edges.find(({ cursor }) => cursor === sent.cursor)).toEqual(sent);
});

test.each([
  [{ text: '' }, ['text TOO_SHORT']],
  [{ text: 'x'.repeat(4001) }, ['text TOO_LONG']],
  [{ text: '🎉'.repeat(4001) }, ['text TOO_LONG']],
  [{ text: 'nul\0nul' }, ['text INVALID_CHARACTER']],
  [{ text: 'half \ud83c' }, ['text INVALID_CHARACTER']],
  [{ text: '\udf89\ud83c' }, ['text INVALID_CHARACTER']],
  [{ text: 'text', clientMessageId: '' }, ['clientMessageId TOO_SHORT']],
  [{ text: 'text', clientMessageId: '🎉'.repeat(65) }, ['clientMessageId TOO_LONG']],
  [{ text: 'text', clientMessageId: 'a\0' }, ['clientMessageId INVALID_CHARACTER']],
  [{ text: '', clientMessageId: '' }, ['text TOO_SHORT', 'clientMessageId TOO_SHORT']],
])('an invalid message is rejected with every violation, and is not stored (%#)', async (input, expected) => {
  const result = await trySend(alice, { roomId, ...input });
  expect(result.__typename).toBe('ValidationError');
  expect(result.issues?.map(({ field, code }) => `${field} ${code}`)).toEqual(expected);
  expect((await page(alice, roomId)).edges).toEqual(edges);
});

test('sendMessage returns the complete stored message', async () => {
  const room = await createRoom(alice);
  const sent = await trySend(alice, { roomId: room, text: 'hello', clientMessageId: '🎉'.repeat(64) });
  expect(sent.edge).toEqual({
    cursor: expect.stringMatching(/^[\w-]+$/),
    node: {
      id: expect.stringMatching(/^M[\w-]{22}$/),
      seq: 1,
      text: 'hello',
      type: 'TEXT',
      createdAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      clientMessageId: '🎉'.repeat(64),
      author: { username: alice.username, displayName: alice.username },
    },
  });
  expect((await trySend(alice, { roomId: room, text: 'x', clientMessageId: null })).edge?.node).toMatchObject(
    {
      seq: 2,
      clientMessageId: null,
    },
  );
});

test('a retry with the same clientMessageId returns the first message, and stores and delivers nothing', async () => {
  const room = await createRoom(alice);
  const client = connect(parley.webSocketUrl, { token: alice.token });
  const subscription = subscribe(client, room, (await page(alice, room)).liveCursor);
  const first = await send(alice, room, 'text', 'key');
  await Promise.all(
    numbers(1, 5).map(async () => expect(await send(alice, room, 'text', 'key')).toEqual(first)),
  );
  const other = await send(alice, room, 'other');
  expect(seqs([first, other])).toEqual([1, 2]);
  expect(await subscription.received(2)).toEqual([first, other]);
  expect((await page(alice, room)).edges).toEqual([first, other]);
  await client.dispose();
});

test('reusing a clientMessageId with another text returns a conflict with the first message', async () => {
  const room = await createRoom(alice);
  const { node } = await send(alice, room, 'text', 'key');
  for (const text of ['Text', 'text ', 'zu\u0308rich'])
    expect(await trySend(alice, { roomId: room, text, clientMessageId: 'key' })).toEqual({
      __typename: 'IdempotencyConflictError',
      existing: { id: node.id, text: 'text' },
    });
  expect((await page(alice, room)).edges).toHaveLength(1);
});

test('other senders and other rooms can use the same clientMessageId', async () => {
  const [room, other] = [await createRoom(alice), await createRoom(alice)];
  await joinRoom(bob, room);
  await send(alice, room, 'a', 'key');
  expect((await send(bob, room, 'b', 'key')).node.text).toBe('b');
  expect((await send(alice, other, 'c', 'key')).node.text).toBe('c');
});

test('ten concurrent sends with one clientMessageId store one message, and all return it', async () => {
  const room = await createRoom(alice);
  const sent = await Promise.all(numbers(1, 10).map(() => send(alice, room, 'text', 'key')));
  const stored = (await page(alice, room)).edges;
  expect(stored.map(({ node }) => [node.seq, node.text])).toEqual([[1, 'text']]);
  expect(sent).toEqual(Array(10).fill(stored[0]));
});

test('ten concurrent sends of different texts with one clientMessageId store one and return nine conflicts', async () => {
  const room = await createRoom(alice);
  const results = await Promise.all(
    numbers(1, 10).map((count) => trySend(alice, { roomId: room, text: `${count}`, clientMessageId: 'key' })),
  );
  const stored = (await page(alice, room)).edges;
  expect(seqs(stored)).toEqual([1]);
  const edge = stored[0];
  expect(results.filter(({ __typename }) => __typename === 'SendMessagePayload')).toEqual([
    { __typename: 'SendMessagePayload', edge },
  ]);
  expect(results.filter(({ __typename }) => __typename === 'IdempotencyConflictError')).toEqual(
    Array(9).fill({
      __typename: 'IdempotencyConflictError',
      existing: { id: edge?.node.id, text: edge?.node.text },
    }),
  );
});

test('concurrent sends are numbered without gaps', async () => {
  const room = await createRoom(alice);
  await joinRoom(bob, room);
  const sent = await Promise.all(
    numbers(1, 50).map((count) => send(count % 2 ? alice : bob, room, `${count}`)),
  );
  const stored = (await page(alice, room, { last: 100 })).edges;
  expect(seqs(stored)).toEqual(numbers(1, 51));
  expect([...sent].sort((a, b) => a.node.seq - b.node.seq)).toEqual(stored.slice(1));
});

test('a message is identical in the mutation result, in every page and in every delivery', async () => {
  const room = await createRoom(alice);
  const client = connect(parley.webSocketUrl, { token: alice.token });
  const live = subscribe(client, room, (await page(alice, room)).liveCursor);
  const sent = await send(alice, room, 'one');
  expect(await live.received(1)).toEqual([sent]);
  await send(alice, room, 'two');
  expect((await page(alice, room)).edges[0]).toEqual(sent);
  expect((await page(alice, room, { first: 1 })).edges).toEqual([sent]);
  const { pageInfo } = await page(alice, room, { last: 1 });
  expect((await page(alice, room, { before: pageInfo.startCursor ?? '' })).edges).toEqual([sent]);
  const start = encodeMessageCursor({ roomId: uuidOf(room), epoch: epoch(), seq: 0, rev: null });
  expect(await subscribe(client, room, start).received(1)).toEqual([sent]);
  await client.dispose();
});

type Arguments = Parameters<typeof page>[2];

test('a page contains the requested range in order, and its pageInfo is exact', async () => {
  const at = cursorOf;
  const cases: [Arguments, number[], boolean, boolean][] = [
    [{}, numbers(1, 12), false, false],
    [{ first: 12 }, numbers(1, 12), false, false],
    [{ first: 100 }, numbers(1, 12), false, false],
    [{ first: 11 }, numbers(1, 11), false, true],
    [{ last: 12 }, numbers(1, 12), false, false],
    [{ last: 11 }, numbers(2, 12), true, false],
    [{ last: 5 }, numbers(8, 12), true, false],
    [{ after: at(3) }, numbers(4, 12), true, false],
    [{ before: at(3) }, [1, 2], false, true],
    [{ first: 2, after: at(3) }, [4, 5], true, true],
    [{ last: 2, before: at(3) }, [1, 2], false, true],
    [{ last: 2, before: at(9) }, [7, 8], true, true],
    [{ last: 2, after: at(3) }, [11, 12], true, false],
    [{ last: 20, after: at(3) }, numbers(4, 12), true, false],
    [{ first: 2, before: at(9) }, [1, 2], false, true],
    [{ after: at(3), before: at(6) }, [4, 5], true, true],
    [{ last: 1, after: at(3), before: at(6) }, [5], true, true],
    [{ first: 0 }, [], false, true],
    [{ last: 0 }, [], true, false],
    [{ first: 0, after: at(3) }, [], true, true],
    [{ last: 0, before: at(3) }, [], true, true],
    [{ after: at(12) }, [], true, false],
    [{ before: at(1) }, [], false, true],
    [{ first: 0, after: at(12) }, [], true, false],
    [{ last: 0, before: at(1) }, [], false, true],
  ];
  for (const [args, expected, hasPreviousPage, hasNextPage] of cases) {
    const found = await page(alice, roomId, args);
    expect(found.edges, JSON.stringify(args)).toEqual(expected.map((seq) => edges[seq - 1]));
    expect(found.pageInfo, JSON.stringify(args)).toEqual({
      hasPreviousPage,
      hasNextPage,
      startCursor: found.edges[0]?.cursor ?? null,
      endCursor: found.edges.at(-1)?.cursor ?? null,
    });
  }
});

test('Room.messages returns the same pages as roomMessages', async () => {
  const fields = `edges { ${EDGE_FIELDS} } nodes { seq } liveCursor
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor }`;
  const args = 'first: $first, after: $after, last: $last, before: $before';
  const cases: [object, number[]][] = [
    [{}, numbers(1, 12)],
    [{ first: 2, after: cursorOf(3) }, [4, 5]],
    [{ last: 2, before: cursorOf(9) }, [7, 8]],
    [{ first: 0 }, []],
  ];
  for (const [variables, expected] of cases) {
    const { data } = await alice.request<{
      roomMessages: { nodes: readonly { seq: number }[] };
      room: { messages: unknown };
    }>(
      `query ($roomId: ID!, $first: Int, $after: String, $last: Int, $before: String) {
        roomMessages(roomId: $roomId, ${args}) { ${fields} }
        room(id: $roomId) { messages(${args}) { ${fields} } }
      }`,
      { roomId, ...variables },
    );
    expect(data?.roomMessages.nodes.map(({ seq }) => seq)).toEqual(expected);
    expect(data?.room.messages).toEqual(data?.roomMessages);
  }
});

test('the liveCursor of every page, even an empty one, is the end of that page', async () => {
  const at = cursorOf;
  const cases: [Arguments, number][] = [
    [{}, 12],
    [{ last: 3 }, 12],
    [{ last: 0 }, 12],
    [{ first: 3 }, 3],
    [{ first: 0 }, 0],
    [{ after: at(5) }, 12],
    [{ first: 0, after: at(5) }, 5],
    [{ after: at(12) }, 12],
    [{ before: at(5) }, 4],
    [{ last: 0, before: at(5) }, 4],
    [{ before: at(1) }, 0],
  ];
  for (const [args, end] of cases) {
    const { liveCursor } = await page(alice, roomId, args);
    const following = await page(alice, roomId, { after: liveCursor });
    expect(seqs(following.edges), JSON.stringify(args)).toEqual(numbers(end + 1, 12));
  }
});

test('the first message of a room follows the liveCursor of its empty page', async () => {
  const room = await createRoom(alice);
  const empty = await page(alice, room);
  expect(empty).toEqual({
    edges: [],
    pageInfo: { hasNextPage: false, hasPreviousPage: false, startCursor: null, endCursor: null },
    liveCursor: expect.any(String),
  });
  const first = await send(alice, room, 'first');
  expect((await page(alice, room, { after: empty.liveCursor })).edges).toEqual([first]);
});

test('a page without first or last contains 50 messages: the newest, or those next to the cursor', async () => {
  const room = await createMessages(200);
  const ends = async (args: Arguments = {}) => {
    const found = seqs((await page(alice, room, args)).edges);
    return [found[0], found.at(-1), found.length];
  };
  const at = (seq: number) => encodeMessageCursor({ roomId: uuidOf(room), epoch: epoch(), seq, rev: null });
  expect(await ends()).toEqual([151, 200, 50]);
  expect(await ends({ after: at(100) })).toEqual([101, 150, 50]);
  expect(await ends({ before: at(100) })).toEqual([50, 99, 50]);
  expect(await ends({ last: 100 })).toEqual([101, 200, 100]);
});

/** Creates a room with messages of the same millisecond, in one statement. */
async function createMessages(count: number): Promise<string> {
  const room = await createRoom(alice);
  const author = rowId('User', alice.userId) ?? '';
  await sql`
    insert into messages (id, room_id, seq, rev, type, author_id, text, created_at)
    select gen_random_uuid(), ${uuidOf(room)}, n, n, 'TEXT', ${author}, n::text, '2026-01-01T00:00:00.123Z'
    from generate_series(1, ${count}::integer) n`;
  return room;
}

/** Pages through a room from its start or from its end, and returns every `seq` in ascending order. */
async function walk(room: string, { first, last }: { first?: number; last?: number }): Promise<number[]> {
  const found: number[][] = [];
  let part = await page(alice, room, first === undefined ? { last: last ?? 0 } : { first });
  for (let pages = 0; pages < 500; pages += 1) {
    found.push(seqs(part.edges));
    const { hasNextPage, hasPreviousPage, startCursor, endCursor } = part.pageInfo;
    // The pages that were read before lie on the side that paging comes from.
    expect(first === undefined ? hasNextPage : hasPreviousPage).toBe(pages > 0);
    if (first === undefined) {
      if (!hasPreviousPage) return found.reverse().flat();
      part = await page(alice, room, { last: last ?? 0, before: startCursor ?? '' });
    } else {
      if (!hasNextPage) return found.flat();
      part = await page(alice, room, { first, after: endCursor ?? '' });
    }
  }
  throw new Error('The room has no end.');
}

test('paging through 200 messages of the same millisecond returns each once, in either direction', async () => {
  const room = await createMessages(200);
  for (const way of [{ first: 10 }, { last: 10 }, { first: 33 }, { last: 33 }])
    expect(await walk(room, way), JSON.stringify(way)).toEqual(numbers(1, 200));
});

test('paging with a page size of one returns every message', async () => {
  const room = await createMessages(5);
  expect(await walk(room, { first: 1 })).toEqual(numbers(1, 5));
  expect(await walk(room, { last: 1 })).toEqual(numbers(1, 5));
});

const PAGE = `query ($roomId: ID!, $first: Int, $after: String, $last: Int, $before: String) {
  roomMessages(roomId: $roomId, first: $first, after: $after, last: $last, before: $before) { liveCursor }
  room(id: $roomId) {
    messages(first: $first, after: $after, last: $last, before: $before) { liveCursor }
  }
}`;

/** The error extensions for invalid arguments, which must be the same for `roomMessages` and `Room.messages`. */
async function refusal(args: object): Promise<unknown> {
  const { data, errors } = await alice.request(PAGE, { roomId, ...args });
  expect(data).toEqual({ roomMessages: null, room: { messages: null } });
  expect(errors?.map(({ path }) => path?.join('.')).sort()).toEqual(['room.messages', 'roomMessages']);
  expect(errors?.[0]?.extensions).toEqual(errors?.[1]?.extensions);
  return errors?.[0]?.extensions;
}

test('an invalid page size of messages is BAD_USER_INPUT that names the argument', async () => {
  const cases: [object, string][] = [
    [{ first: 1, last: 1 }, 'last'],
    [{ first: -1 }, 'first'],
    [{ first: 101 }, 'first'],
    [{ last: -1 }, 'last'],
    [{ last: 101 }, 'last'],
  ];
  for (const [args, argument] of cases)
    expect(await refusal(args), JSON.stringify(args)).toEqual({ code: 'BAD_USER_INPUT', argument });
});

test('a cursor that is malformed, of another room or of a list of rooms is BAD_USER_INPUT that names the argument', async () => {
  const other = await createRoom(alice);
  const { liveCursor } = await page(alice, other);
  const sent = await send(alice, other, 'text');
  const list = encodeRoomCursor({ lastActivityAt: Date.now(), roomId: uuidOf(roomId) });
  const broken = [
    '',
    'garbage',
    `${cursorOf(3)}=`,
    cursorOf(3).slice(0, -1),
    ` ${cursorOf(3)}`,
    `${cursorOf(3)}\0`,
    roomId,
  ];
  const place = { roomId: uuidOf(roomId), epoch: epoch(), seq: 3, rev: null };
  // A `seq` that no row can have: it is out of range of the column's type.
  const impossible = encodeMessageCursor({ ...place, seq: 2 ** 31 });
  for (const cursor of [liveCursor, sent.cursor, list, impossible, ...broken])
    for (const argument of ['after', 'before'])
      expect(await refusal({ [argument]: cursor }), cursor).toEqual({ code: 'BAD_USER_INPUT', argument });
});

test('a cursor of another history, or beyond the end of the room, is a HISTORY_GAP', async () => {
  const place = { roomId: uuidOf(roomId), epoch: epoch(), seq: 3, rev: null };
  const gap = { code: 'HISTORY_GAP', reason: 'RESET' };
  const cursors = {
    anotherHistory: { ...place, epoch: '0123456789abcdef' },
    positionOfAnotherHistory: { ...place, epoch: '0123456789abcdef', rev: 3 },
    beyondTheEnd: { ...place, seq: 13 },
    farBeyondTheEnd: { ...place, seq: 2 ** 31 - 1 },
  };
  const client = connect(parley.webSocketUrl, { token: alice.token });
  for (const [name, cursor] of Object.entries(cursors)) {
    const text = encodeMessageCursor(cursor);
    for (const argument of ['after', 'before'])
      expect(await refusal({ [argument]: text }), `${name} ${argument}`).toEqual(gap);
    expect(await subscribe(client, roomId, text).ended, name).toEqual([
      expect.objectContaining({ extensions: gap }),
    ]);
  }
  await client.dispose();
});

test('node finds an object of every type by its id, and returns null for malformed and unknown ids', async () => {
  const { data } = await alice.request<{ viewer: { id: string } }>('{ viewer { id } }');
  const expected = {
    User: alice.userId,
    Viewer: data?.viewer.id ?? '',
    Room: roomId,
    Message: edges[0]?.node.id ?? '',
  };
  const find = async (id: string): Promise<unknown> =>
    (
      await alice.request('query ($id: ID!) { node(id: $id) { __typename id ... on Message { text } } }', {
        id,
      })
    ).data?.node;
  for (const [__typename, id] of Object.entries(expected)) {
    expect(await find(id)).toMatchObject({ __typename, id });
    // The id with an unknown type, cut short, with a character too many, and of a row that does not exist.
    for (const other of [`X${id.slice(1)}`, id.slice(0, -1), `${id}A`, `${id[0]}${'A'.repeat(22)}`])
      expect(await find(other), other).toBeNull();
  }
  for (const id of ['', 'x', randomUUID(), '%', '1; drop table users']) expect(await find(id), id).toBeNull();
});

test('node returns a message only to members of its room', async () => {
  const id = edges[0]?.node.id ?? '';
  const query = 'query ($id: ID!) { node(id: $id) { ... on Message { text room { id } } } }';
  expect(await alice.request(query, { id })).toEqual({ data: { node: { text: '1', room: { id: roomId } } } });
  expect(await bob.request(query, { id })).toEqual({ data: { node: null } });
});

/** A valid value for each argument and input field, by its name. */
function goodValue(name: string): unknown {
  const values: Record<string, unknown> = {
    username: `user-${randomUUID().slice(0, 8)}`,
    password: 'correct horse battery',
    displayName: 'Somebody',
    avatarUrl: 'https://a.example/a.png',
    name: 'A room',
    topic: 'A topic',
    kind: 'PUBLIC',
    id: roomId,
    roomId,
    text: 'text',
    clientMessageId: newId(),
    after: cursorOf(3),
    before: cursorOf(9),
    // No `last`, which cannot be combined with `first`.
    first: 10,
  };
  return values[name];
}

interface Attempt {
  readonly place: string;
  readonly query: string;
  readonly variables: Record<string, unknown>;
}

/** For every string argument and input field, an operation with this text in that place and valid values elsewhere. */
function attemptsWith(bad: string): Attempt[] {
  const acceptsText = (type: GraphQLInputType) => ['String', 'ID'].includes(getNamedType(type).name);
  return [schema.getQueryType(), schema.getMutationType()].flatMap((root) =>
    Object.values(root?.getFields() ?? {}).flatMap((field) => {
      const declared = field.args.map(({ name, type }) => `$${name}: ${type}`).join(', ');
      const passed = field.args.map(({ name }) => `${name}: $${name}`).join(', ');
      const kind = root === schema.getQueryType() ? 'query' : 'mutation';
      const query = `${kind} (${declared}) { ${field.name}(${passed}) { __typename } }`;
      return field.args.flatMap((argument): Attempt[] => {
        const type = isNonNullType(argument.type) ? argument.type.ofType : argument.type;
        if (isInputObjectType(type)) {
          const inputs = Object.values(type.getFields());
          const good = Object.fromEntries(inputs.map(({ name }) => [name, goodValue(name)]));
          return inputs
            .filter((input) => acceptsText(input.type))
            .map(({ name }) => ({
              place: `${field.name}(input: { ${name} })`,
              query,
              variables: { [argument.name]: { ...good, [name]: bad } },
            }));
        }
        if (!acceptsText(type)) return [];
        const good = Object.fromEntries(field.args.map(({ name }) => [name, goodValue(name)]));
        return [
          { place: `${field.name}(${argument.name})`, query, variables: { ...good, [argument.name]: bad } },
        ];
      });
    }),
  );
}

test.each([
  ['a NUL', '\0'],
  ['a NUL in the middle', 'abc\0def'],
  ['half a surrogate pair', 'abcd\ud83c'],
])(
  '%s is rejected in every string of every operation, and never causes an unexpected error',
  async (_, bad) => {
    const attempts = attemptsWith(bad);
    expect(attempts.length).toBeGreaterThan(20);
    for (const { place, query, variables } of attempts) {
      const { data, errors } = await alice.request<Record<string, { __typename: string } | null>>(
        query,
        variables,
      );
      const [value] = Object.values(data ?? {});
      const outcome = errors?.map(({ extensions }) => extensions?.code) ?? value?.__typename ?? 'null';
      expect(
        [['BAD_USER_INPUT'], 'ValidationError', 'NotFoundError', 'InvalidCredentialsError', 'null'],
        place,
      ).toContainEqual(outcome);
      if (place.startsWith('sendMessage') || place.startsWith('signUp') || place.startsWith('createRoom'))
        expect(outcome, place).toBe(place.includes('roomId') ? 'NotFoundError' : 'ValidationError');
    }
    expect(parley.log.filter((line) => line.includes('Unexpected error'))).toEqual([]);
  },
);

test('a NUL in a subscription, in a document or in place of a number is BAD_USER_INPUT', async () => {
  const client = connect(parley.webSocketUrl, { token: alice.token });
  const badInput = (argument: string) => [
    expect.objectContaining({ extensions: { code: 'BAD_USER_INPUT', argument } }),
  ];
  expect(await subscribe(client, `${roomId}\0`).ended).toEqual(badInput('roomId'));
  expect(await subscribe(client, roomId, `${cursorOf(3)}\0`).ended).toEqual(badInput('after'));
  await client.dispose();

  const code = async (query: string, variables: object = {}) =>
    (await request(parley.url, query, variables, alice.token)).errors?.[0]?.extensions?.code;
  expect(await code('{ viewer { id } \0 }')).toBe('BAD_USER_INPUT');
  expect(await code('query ($a: Int) { rooms(first: $a) { nodes { id } } }', { a: '\0' })).toBe(
    'BAD_USER_INPUT',
  );
  expect(
    await code('mutation ($k: RoomKind!) { createRoom(input: { name: "a", kind: $k }) { __typename } }', {
      k: '\0',
    }),
  ).toBe('BAD_USER_INPUT');
  for (const id of ['\\u0000', '\0'])
    expect(await alice.request(`{ node(id: "${id}") { id } }`)).toEqual({ data: { node: null } });
});

test('a subscription to a room that the viewer cannot read fails like a page of it', async () => {
  const hidden = await createRoom(alice, 'Hidden', 'PRIVATE');
  const client = connect(parley.webSocketUrl, { token: bob.token });
  const errorsOf = async (room: string) => subscribe(client, room).ended;
  expect(await errorsOf(roomId)).toEqual([expect.objectContaining({ extensions: { code: 'FORBIDDEN' } })]);
  const missing = await errorsOf(`R${Buffer.alloc(16).toString('base64url')}`);
  expect(missing).toEqual([
    expect.objectContaining({ extensions: { code: 'BAD_USER_INPUT', argument: 'roomId' } }),
  ]);
  expect(await errorsOf(hidden)).toEqual(missing);
  await client.dispose();

  const stranger = connect(parley.webSocketUrl);
  expect(await subscribe(stranger, roomId).ended).toEqual([
    expect.objectContaining({ extensions: { code: 'UNAUTHENTICATED', reason: 'MISSING' } }),
  ]);
  await stranger.dispose();
});
