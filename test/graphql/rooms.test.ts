import { randomBytes } from 'node:crypto';
import postgres from 'postgres';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { encodeRoomCursor } from '../../src/domain/cursor.js';
import { newId } from '../../src/domain/id.js';
import { encodeGlobalId, rowId } from '../../src/graphql/schema/global-id.js';
import {
  createRoom,
  joinRoom,
  LOBBY,
  type Person,
  page,
  type Result,
  request,
  send,
  signUp,
} from '../helpers/client.js';
import { startParley, type TestParley } from '../helpers/parley.js';

let parley: TestParley;
let sql: postgres.Sql;
let alice: Person;
let bob: Person;

beforeAll(async () => {
  parley = await startParley({ env: { LOBBY: 'The Hall' } });
  sql = postgres(parley.database.url);
  alice = await signUp(parley.url);
  bob = await signUp(parley.url);
});

afterAll(async () => {
  await sql?.end();
});

interface Room {
  readonly id: string;
  readonly kind: string;
  readonly name: string | null;
  readonly viewerTitle: string;
  readonly topic: string | null;
  readonly memberCount: number;
  readonly viewerIsMember: boolean;
  readonly createdAt: string;
  readonly lastActivityAt: string;
}

const ROOM_FIELDS = 'id kind name viewerTitle topic memberCount viewerIsMember createdAt lastActivityAt';

interface Issue {
  readonly field: string;
  readonly code: string;
}

interface RoomResult {
  readonly __typename: string;
  readonly room?: Room;
  readonly field?: string;
  readonly issues?: readonly Issue[];
}

async function create(person: Person, input: object): Promise<RoomResult> {
  const { data, errors } = await person.request<{ createRoom: RoomResult }>(
    `mutation ($input: CreateRoomInput!) {
      createRoom(input: $input) {
        __typename
        ... on CreateRoomPayload { room { ${ROOM_FIELDS} } }
        ... on ValidationError { issues { field code } }
      }
    }`,
    { input },
  );
  if (!data) throw new Error(JSON.stringify(errors));
  return data.createRoom;
}

async function join(person: Person, roomId: string): Promise<RoomResult> {
  const { data, errors } = await person.request<{ joinRoom: RoomResult }>(
    `mutation ($roomId: ID!) {
      joinRoom(input: { roomId: $roomId }) {
        __typename
        ... on JoinRoomPayload { room { ${ROOM_FIELDS} } }
        ... on NotFoundError { field }
      }
    }`,
    { roomId },
  );
  if (!data) throw new Error(JSON.stringify(errors));
  return data.joinRoom;
}

async function roomOf(person: Person, id: string): Promise<Room | null | undefined> {
  const { data } = await person.request<{ room: Room | null }>(
    `query ($id: ID!) { room(id: $id) { ${ROOM_FIELDS} } }`,
    { id },
  );
  return data?.room;
}

const sendTo = (person: Person, roomId: string) =>
  person.request(
    `mutation ($roomId: ID!) {
      sendMessage(input: { roomId: $roomId, text: "text" }) { __typename ... on NotFoundError { field } }
    }`,
    { roomId },
  );

const roomMessages = (person: Person, roomId: string) =>
  person.request('query ($roomId: ID!) { roomMessages(roomId: $roomId) { nodes { seq } } }', { roomId });

test('a new room has its creator as its only member and has no messages', async () => {
  const { __typename, room } = await create(alice, { name: '  Tea & cake ', topic: ' 🍰 ' });
  expect(__typename).toBe('CreateRoomPayload');
  expect(room).toEqual({
    id: expect.stringMatching(/^R[\w-]{22}$/),
    kind: 'PUBLIC',
    name: 'Tea & cake',
    viewerTitle: 'Tea & cake',
    topic: '🍰',
    memberCount: 1,
    viewerIsMember: true,
    createdAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
    lastActivityAt: room?.createdAt,
  });
  const { id = '' } = room ?? {};
  expect(await roomOf(alice, id)).toEqual(room);
  expect(await roomOf(bob, id)).toEqual({ ...room, viewerIsMember: false });
  expect((await page(alice, id)).edges).toEqual([]);
});

test('a room created with an omitted, null or blank topic has no topic', async () => {
  for (const topic of [{}, { topic: null }, { topic: '  ' }])
    expect((await create(alice, { name: 'room', ...topic })).room?.topic).toBeNull();
});

test.each([
  [{ name: '' }, ['name TOO_SHORT']],
  [{ name: ' \n ' }, ['name TOO_SHORT']],
  [{ name: '🍰'.repeat(81) }, ['name TOO_LONG']],
  [{ name: 'two\nlines' }, ['name INVALID_CHARACTER']],
  [{ name: 'nul\0nul' }, ['name INVALID_CHARACTER']],
  [{ name: 'half \ud83c' }, ['name INVALID_CHARACTER']],
  [{ name: 'room', topic: 'x'.repeat(281) }, ['topic TOO_LONG']],
  [{ name: '', topic: 'nul\0nul' }, ['name TOO_SHORT', 'topic INVALID_CHARACTER']],
])('creating a room with %j returns the violations %j', async (input, expected) => {
  const { __typename, issues } = await create(alice, input);
  expect(__typename).toBe('ValidationError');
  expect(issues?.map(({ field, code }) => `${field} ${code}`)).toEqual(expected);
});

test('names and topics can have their maximum length, counted in code points', async () => {
  const input = { name: '🍰'.repeat(80), topic: '🍰'.repeat(280) };
  expect((await create(alice, input)).room).toMatchObject(input);
});

test('a private room looks like a missing room to users who are not members', async () => {
  const id = await createRoom(alice, 'Private', 'PRIVATE');
  const { node } = await send(alice, id, 'secret');
  const missing = encodeGlobalId('Room', newId());

  // The responses are the same as for a room that does not exist.
  for (const roomId of [id, missing]) {
    expect(await roomOf(bob, roomId)).toBeNull();
    expect(await roomMessages(bob, roomId)).toEqual({ data: { roomMessages: null } });
    expect(await join(bob, roomId)).toEqual({ __typename: 'NotFoundError', field: 'roomId' });
    expect(await sendTo(bob, roomId)).toEqual({
      data: { sendMessage: { __typename: 'NotFoundError', field: 'roomId' } },
    });
    expect(await bob.request('query ($id: ID!) { node(id: $id) { id } }', { id: roomId })).toEqual({
      data: { node: null },
    });
  }
  expect(await bob.request('query ($id: ID!) { node(id: $id) { id } }', { id: node.id })).toEqual({
    data: { node: null },
  });
  const listed = await walk('rooms', bob, { first: 100 });
  expect(listed.length).toBeGreaterThan(0);
  expect(listed).not.toContain(id);
  expect(await roomOf(alice, id)).toMatchObject({ kind: 'PRIVATE', memberCount: 1, viewerIsMember: true });
});

test('every user can see a public room, but only its members can read and write in it', async () => {
  const id = await createRoom(alice);
  const { node } = await send(alice, id, 'hello');
  expect(await roomOf(bob, id)).toMatchObject({ viewerIsMember: false });
  const forbidden = { extensions: { code: 'FORBIDDEN' } };
  expect(await roomMessages(bob, id)).toMatchObject({
    data: { roomMessages: null },
    errors: [{ path: ['roomMessages'], ...forbidden }],
  });
  expect(
    await bob.request('query ($id: ID!) { room(id: $id) { name messages { nodes { seq } } } }', { id }),
  ).toMatchObject({
    data: { room: { name: 'A room', messages: null } },
    errors: [{ path: ['room', 'messages'], ...forbidden }],
  });
  expect(await sendTo(bob, id)).toEqual({ data: { sendMessage: { __typename: 'NotAMemberError' } } });
  expect(await bob.request('query ($id: ID!) { node(id: $id) { id } }', { id: node.id })).toEqual({
    data: { node: null },
  });

  await joinRoom(bob, id);
  expect((await page(bob, id)).edges.map((edge) => edge.node.text)).toEqual(['hello', '']);
  await send(bob, id, 'hello back');
});

test('joining again changes nothing: there is one more member and one MEMBER_JOINED message', async () => {
  const id = await createRoom(alice);
  const first = await join(bob, id);
  expect(first).toMatchObject({
    __typename: 'JoinRoomPayload',
    room: { memberCount: 2, viewerIsMember: true },
  });
  expect(await join(bob, id)).toEqual(first);
  // The creator is already a member.
  expect(await join(alice, id)).toEqual(first);
  const { edges } = await page(alice, id);
  expect(edges.map((edge) => edge.node)).toEqual([
    expect.objectContaining({
      seq: 1,
      type: 'MEMBER_JOINED',
      text: '',
      clientMessageId: null,
      author: expect.objectContaining({ username: bob.username }),
    }),
  ]);
  expect(first.room?.lastActivityAt).toBe(edges[0]?.node.createdAt);
});

test('a malformed id and an id of another type are treated like an unknown id', async () => {
  const room = await createRoom(alice);
  for (const id of [
    '',
    'R',
    'x',
    `${room}A`,
    room.slice(0, -1),
    `M${room.slice(1)}`,
    alice.userId,
    rowId('Room', room) ?? '',
  ]) {
    expect(await roomOf(alice, id), id).toBeNull();
    expect(await join(alice, id), id).toEqual({ __typename: 'NotFoundError', field: 'roomId' });
    expect(await roomMessages(alice, id), id).toEqual({ data: { roomMessages: null } });
    expect(await sendTo(alice, id), id).toMatchObject({ data: { sendMessage: { field: 'roomId' } } });
  }
});

test('the lobby has the documented id and the configured name, and every new user joins it', async () => {
  expect(await roomOf(alice, LOBBY)).toMatchObject({
    id: LOBBY,
    kind: 'PUBLIC',
    name: 'The Hall',
    viewerIsMember: true,
  });
  const carol = await signUp(parley.url);
  const joined = (await page(carol, LOBBY)).edges.at(-1)?.node;
  expect(joined).toMatchObject({ type: 'MEMBER_JOINED', author: { username: carol.username } });
});

test('without a configured name there is no lobby, and users can still sign up', async () => {
  const other = await startParley({ env: { LOBBY: '' } });
  const person = await signUp(other.url);
  expect(await roomOf(person, LOBBY)).toBeNull();
  expect(await person.request('{ rooms { nodes { id } } viewer { rooms { nodes { id } } } }')).toEqual({
    data: { rooms: { nodes: [] }, viewer: { rooms: { nodes: [] } } },
  });
  await other.stop();
});

interface RoomPage {
  readonly edges: readonly { readonly cursor: string; readonly node: { readonly id: string } }[];
  readonly nodes: readonly { readonly id: string }[];
  readonly pageInfo: {
    readonly hasNextPage: boolean;
    readonly hasPreviousPage: boolean;
    readonly startCursor: string | null;
    readonly endCursor: string | null;
  };
}

type List = 'rooms' | 'joined';
interface Arguments {
  readonly first?: number;
  readonly after?: string | null;
  readonly last?: number;
  readonly before?: string | null;
}

async function listResult(list: List, person: Person, args: Arguments): Promise<Result<{ rooms: RoomPage }>> {
  const field = `rooms(first: $first, after: $after, last: $last, before: $before) {
    edges { cursor node { id } } nodes { id } pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
  }`;
  const { data, errors } = await person.request<{ rooms?: RoomPage; viewer?: { rooms: RoomPage } }>(
    `query ($first: Int, $after: String, $last: Int, $before: String) {
      ${list === 'rooms' ? field : `viewer { ${field} }`}
    }`,
    args,
  );
  const rooms = data?.rooms ?? data?.viewer?.rooms;
  return { ...(rooms ? { data: { rooms } } : {}), ...(errors ? { errors } : {}) };
}

async function listRooms(list: List, person: Person, args: Arguments = {}): Promise<RoomPage> {
  const { data, errors } = await listResult(list, person, args);
  if (!data) throw new Error(JSON.stringify(errors));
  return data.rooms;
}

const ids = ({ edges }: RoomPage) => edges.map(({ node }) => node.id);

/** Pages through a whole list from its start or from its end, and returns it in list order. */
async function walk(
  list: List,
  person: Person,
  { first, last }: { first?: number; last?: number },
): Promise<string[]> {
  const found: string[][] = [];
  let cursor: string | null = null;
  for (let pages = 0; pages < 500; pages += 1) {
    const part: RoomPage = await listRooms(
      list,
      person,
      first === undefined ? { last: last ?? 0, before: cursor } : { first, after: cursor },
    );
    expect(part.nodes.map(({ id }) => id)).toEqual(ids(part));
    found.push(ids(part));
    const { hasNextPage, hasPreviousPage, startCursor, endCursor } = part.pageInfo;
    // The pages that were read before lie on the side that paging comes from.
    expect(first === undefined ? hasNextPage : hasPreviousPage).toBe(pages > 0);
    if (!(first === undefined ? hasPreviousPage : hasNextPage))
      return (first === undefined ? found.reverse() : found).flat();
    cursor = first === undefined ? startCursor : endCursor;
  }
  throw new Error('The list has no end.');
}

/**
 * Creates rooms with activity in the same millisecond, with the person as a member of each. They precede all others in
 * the list of public rooms. The person must be in no other room except the lobby.
 */
async function createRooms(person: Person, count: number): Promise<string[]> {
  const rows = Array.from({ length: count }, () => ({
    id: newId(),
    kind: 'PUBLIC',
    name: randomBytes(4).toString('hex'),
    member_count: 1,
    last_activity_at: new Date('2100-01-01T00:00:00.123Z'),
  }));
  const user_id = rowId('User', person.userId) ?? '';
  await sql.begin(async (transaction) => {
    await transaction`insert into rooms ${sql(rows)}`;
    await transaction`insert into members ${sql(rows.map(({ id }) => ({ room_id: id, user_id })))}`;
  });
  return rows.map(({ id }) => encodeGlobalId('Room', id));
}

async function removeRooms(rooms: readonly string[]): Promise<void> {
  await sql`delete from rooms where id in ${sql(rooms.map((id) => rowId('Room', id) ?? ''))}`;
}

test.each<List>(['rooms', 'joined'])(
  'paging through 200 rooms of the same millisecond returns each once, in either direction (%s)',
  async (list) => {
    const person = await signUp(parley.url);
    const made = await createRooms(person, 200);
    const ways = [{ first: 10 }, { first: 33 }, { last: 10 }, { last: 33 }];
    // Other rooms may move up meanwhile, because of messages of other tests.
    const [whole = [], ...others] = await Promise.all(
      ways.map(async (way) => (await walk(list, person, way)).filter((id) => made.includes(id))),
    );
    expect([...whole].sort()).toEqual([...made].sort());
    expect(others).toEqual(others.map(() => whole));
    await removeRooms(made);
  },
);

test.each<List>(['rooms', 'joined'])(
  'paging with a page size of one returns every room (%s)',
  async (list) => {
    const person = await signUp(parley.url);
    const made = await createRooms(person, 5);
    const walked = async (way: { first?: number; last?: number }) =>
      (await walk(list, person, way)).filter((id) => made.includes(id));
    const forth = await walked({ first: 1 });
    expect([...forth].sort()).toEqual([...made].sort());
    expect(await walked({ last: 1 })).toEqual(forth);
    await removeRooms(made);
  },
);

test('Viewer.rooms lists the rooms of the viewer, private ones too, most recent activity first', async () => {
  const person = await signUp(parley.url);
  const quiet = await createRoom(person, 'quiet', 'PRIVATE');
  const busy = await createRoom(person, 'busy');
  await createRoom(alice, 'not theirs');
  await send(person, quiet, 'one');
  await send(person, busy, 'two');
  // A room moves up within two seconds after its message.
  const order = async () => ids(await listRooms('joined', person));
  await expect.poll(order, { timeout: 3000 }).toEqual([busy, quiet, LOBBY]);
  await send(person, quiet, 'three');
  await expect.poll(order, { timeout: 3000 }).toEqual([quiet, busy, LOBBY]);
  expect(ids(await listRooms('rooms', person))).not.toContain(quiet);
});

test('the pageInfo of a list of rooms is exact, even for an empty page', async () => {
  const person = await signUp(parley.url);
  const made = await createRooms(person, 3);
  const { edges } = await listRooms('joined', person);
  expect(edges).toHaveLength(4);
  const [a = '', , c = '', d = ''] = edges.map(({ cursor }) => cursor);
  const info = async (args: Arguments) => {
    const { edges: found, pageInfo } = await listRooms('joined', person, args);
    expect(pageInfo.startCursor).toBe(found[0]?.cursor ?? null);
    expect(pageInfo.endCursor).toBe(found.at(-1)?.cursor ?? null);
    return [found.length, pageInfo.hasPreviousPage, pageInfo.hasNextPage];
  };
  const cases: [Arguments, unknown[]][] = [
    [{}, [4, false, false]],
    [{ first: 4 }, [4, false, false]],
    [{ first: 3 }, [3, false, true]],
    [{ last: 3 }, [3, true, false]],
    [{ first: 2, after: a }, [2, true, true]],
    [{ after: a }, [3, true, false]],
    [{ before: d }, [3, false, true]],
    [{ last: 1, before: c }, [1, true, true]],
    [{ after: a, before: d }, [2, true, true]],
    [{ first: 0 }, [0, false, true]],
    [{ last: 0 }, [0, true, false]],
    [{ first: 0, after: a }, [0, true, true]],
    [{ last: 0, before: d }, [0, true, true]],
    [{ after: d }, [0, true, false]],
    [{ before: a }, [0, false, true]],
    [{ first: 0, after: d }, [0, true, false]],
    [{ last: 0, before: a }, [0, false, true]],
  ];
  for (const [args, expected] of cases) expect(await info(args), JSON.stringify(args)).toEqual(expected);
  await removeRooms(made);
});

test('a cursor stays valid after its room was deleted or moved', async () => {
  const person = await signUp(parley.url);
  const made = await createRooms(person, 4);
  const whole = await listRooms('joined', person);
  const [, gone, third, ...rest] = whole.edges;
  await removeRooms([gone?.node.id ?? '']);
  await sql`update rooms set last_activity_at = '2101-01-01' where id = ${rowId('Room', third?.node.id ?? '')}`;
  for (const edge of [gone, third]) {
    const after = await listRooms('joined', person, { after: edge?.cursor ?? null });
    expect(ids(after)).toEqual(rest.map(({ node }) => node.id));
  }
  await removeRooms(made);
});

test('an invalid argument of a list of rooms is BAD_USER_INPUT that names the argument', async () => {
  const { edges } = await page(alice, LOBBY);
  const cases: [Arguments, string][] = [
    [{ first: 1, last: 1 }, 'last'],
    [{ first: -1 }, 'first'],
    [{ last: 101 }, 'last'],
    [{ after: 'garbage' }, 'after'],
    [{ after: 'nul\0nul' }, 'after'],
    [{ before: '\0' }, 'before'],
    [{ before: edges[0]?.cursor ?? '' }, 'before'],
    [{ after: encodeRoomCursor({ lastActivityAt: 2 ** 48 - 1, roomId: newId() }) }, 'after'],
  ];
  for (const list of ['rooms', 'joined'] as const)
    for (const [args, argument] of cases)
      expect((await listResult(list, alice, args)).errors, JSON.stringify(args)).toEqual([
        expect.objectContaining({ extensions: { code: 'BAD_USER_INPUT', argument } }),
      ]);
});

test('rooms require a signed-in viewer', async () => {
  const id = await createRoom(alice);
  const { data, errors } = await request(
    parley.url,
    'query ($id: ID!) { room(id: $id) { id } rooms { nodes { id } } }',
    { id },
  );
  expect(data).toEqual({ room: null, rooms: null });
  const missing = { code: 'UNAUTHENTICATED', reason: 'MISSING' };
  expect(errors?.map(({ extensions }) => extensions)).toEqual([missing, missing]);
});
