import postgres from 'postgres';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { newId } from '../../src/domain/id.js';
import type { MessageDraft } from '../../src/domain/message/message.js';
import { EMPTY_SNAPSHOT } from '../../src/domain/recent/changes.js';
import { prepareDatabase } from '../../src/storage/database.js';
import { createTestDatabase, type TestDatabase } from '../helpers/database.js';
import { openStoresAt, type Stores } from '../helpers/stores.js';

let database: TestDatabase;
let stores: Stores;
let sql: postgres.Sql;
const author = newId();

beforeAll(async () => {
  database = await createTestDatabase();
  const log = { debug() {}, info() {}, warn() {}, error() {} };
  await prepareDatabase({ connection: database.connection }, log, new AbortController().signal);
  stores = openStoresAt({ connection: database.connection });
  sql = postgres({ ...database.connection, max: 5, onnotice: () => {} });
  await stores.users.create({ id: author, username: 'ada', displayName: 'Ada', passwordHash: '' });
});
afterAll(async () => {
  await sql.end();
  await stores.close();
});

let roomId: string;
beforeEach(async () => {
  roomId = await createRoom();
});

async function createRoom(): Promise<string> {
  const id = newId();
  await stores.rooms.create({ id, kind: 'PUBLIC', name: 'room', topic: null, creatorId: author });
  return id;
}
const draft = (text: string): MessageDraft => ({
  id: newId(),
  authorId: author,
  text,
  clientMessageId: null,
});
const send = (room: string, ...texts: string[]) => stores.messages.send(room, texts.map(draft));
const now = async () => (await stores.changes.readRecent(EMPTY_SNAPSHOT)).snapshot;

test('a room that was written to is found once, with its newest head', async () => {
  const before = await now();
  expect((await stores.changes.readRecent(before)).heads).toEqual(new Map());
  await send(roomId, 'a', 'b');
  await send(roomId, 'c');
  const found = await stores.changes.readRecent(before);
  expect(found.heads).toEqual(new Map([[roomId, { seq: 3, rev: 3 }]]));
  expect((await stores.changes.readRecent(found.snapshot)).heads).toEqual(new Map());
});

test('every kind of write is found', async () => {
  const user = newId();
  await stores.users.create({ id: user, username: 'bob', displayName: 'Bob', passwordHash: '' });
  const { outcomes } = await send(roomId, 'a');
  const message = outcomes.flatMap((outcome) => ('message' in outcome ? [outcome.message.id] : []))[0] ?? '';
  const writes = [
    () => stores.messages.edit({ roomId, messageId: message, editorId: author, text: 'b' }),
    () => stores.rooms.join({ roomId, userId: user, messageId: newId() }),
    () => stores.rooms.removeMember({ roomId, userId: user, actorId: author, messageId: newId() }),
    () => stores.messages.sendToRooms([{ roomId, drafts: [draft('c')] }]),
  ];
  const heads = [];
  for (const write of writes) {
    const before = await now();
    await write();
    heads.push((await stores.changes.readRecent(before)).heads.get(roomId));
  }
  expect(heads).toEqual([
    { seq: 1, rev: 2 },
    { seq: 2, rev: 3 },
    { seq: 3, rev: 4 },
    { seq: 4, rev: 5 },
  ]);
});

test('a write that is committed after later ones is not missed', async () => {
  const other = await createRoom();
  const writer = await sql.reserve();
  await writer`begin`;
  const drafts = [{ id: newId(), author_id: author, text: 'slow', client_message_id: null }];
  await writer`select from send_messages(${roomId}, ${sql.json(drafts)})`;
  const before = await now();
  await send(other, 'fast');
  const found = await stores.changes.readRecent(before);
  expect([...found.heads.keys()]).toEqual([other]);
  await writer`commit`;
  writer.release();
  expect([...(await stores.changes.readRecent(found.snapshot)).heads.keys()]).toEqual([roomId]);
});

test('a changed profile is found with the time of its change, any other change of a user is not', async () => {
  const before = await now();
  await sql`update users set password_hash = 'other' where id = ${author}`;
  await stores.users.update(author, { displayName: 'Ada' });
  expect((await stores.changes.readRecent(before)).profiles).toEqual([]);
  const { changedAt } = await stores.users.update(author, { displayName: 'Countess' });
  const { profiles } = await stores.changes.readRecent(before);
  expect(profiles).toEqual([
    {
      user: expect.objectContaining({ id: author, username: 'ada', displayName: 'Countess' }),
      changedAt: expect.any(Date),
    },
  ]);
  expect(Math.abs(Number(profiles[0]?.changedAt) - Number(changedAt))).toBeLessThan(1000);
  await stores.users.update(author, { displayName: 'Ada' });
});

test('tables that were replaced are recognized', async () => {
  const before = await stores.changes.readRecent(EMPTY_SNAPSHOT);
  await send(roomId, 'a');
  expect((await stores.changes.readRecent(EMPTY_SNAPSHOT)).incarnation).toBe(before.incarnation);
  await sql`vacuum full rooms`;
  expect((await stores.changes.readRecent(EMPTY_SNAPSHOT)).incarnation).not.toBe(before.incarnation);
});

test('lists are sorted by activity after it was applied, in steps, and without waiting for a locked room', async () => {
  const rooms = await Promise.all(Array.from({ length: 60 }, createRoom));
  await Promise.all(rooms.map((room) => send(room, 'a')));
  const listed = async () => {
    const { items } = await stores.rooms.listPublic({ from: 'start', size: 100, after: null, before: null });
    return new Map(items.map(({ id, listedAt, lastActivityAt }) => [id, { listedAt, lastActivityAt }]));
  };
  // The time that a room shows is exact at once.
  for (const { listedAt, lastActivityAt } of (await listed()).values())
    expect(lastActivityAt >= listedAt).toBe(true);
  const behind = async () =>
    [...(await listed())]
      .filter(([, { listedAt, lastActivityAt }]) => lastActivityAt > listedAt)
      .map(([id]) => id)
      .sort();
  expect((await behind()).length).toBeGreaterThanOrEqual(60);

  const locked = rooms[0] ?? '';
  const holder = await sql.reserve();
  await holder`begin`;
  await holder`select from rooms where id = ${locked} for update`;
  const range = { since: '0', forget: '0' };
  expect(await stores.changes.applyActivity(range)).toEqual({ appliedTo: null, updated: 50 });
  for (let updated = 50; updated > 0; ) ({ updated } = await stores.changes.applyActivity(range));
  expect(await behind()).toEqual([locked]);
  await holder`commit`;
  holder.release();
  const { appliedTo, updated } = await stores.changes.applyActivity(range);
  expect(updated).toBe(1);
  expect(await behind()).toEqual([]);

  // What was applied can be forgotten, and only that.
  const before = await now();
  await send(roomId, 'later');
  await stores.changes.applyActivity({ since: appliedTo ?? '', forget: appliedTo ?? '' });
  const [row] = await sql<{ count: number }[]>`
    select count(*)::int as count from recent_changes where xid < ${appliedTo}::xid8`;
  expect(row?.count).toBe(0);
  expect((await stores.changes.readRecent(before)).heads.has(roomId)).toBe(true);
});

test('only one instance applies activity at a time', async () => {
  await send(roomId, 'a');
  const other = await sql.reserve();
  await other`begin`;
  await other`select from apply_activity('0', '0')`;
  expect(await stores.changes.applyActivity({ since: '0', forget: '0' })).toEqual({
    appliedTo: null,
    updated: 0,
  });
  await other`commit`;
  other.release();
});

test('messages leave the row of their room alone, unless the release before reads the heads there', async () => {
  const row = async () =>
    (await sql`select ctid, xmin, last_seq, last_rev from rooms where id = ${roomId}`)[0];
  const before = await row();
  await send(roomId, 'a', 'b');
  expect(await row()).toEqual(before);
  await sql`insert into meta (key, value) values ('heads_in_rooms', 'true')`;
  await send(roomId, 'c');
  expect(await row()).toMatchObject({ last_seq: 3, last_rev: '3' });
  await sql`delete from meta where key = 'heads_in_rooms'`;
});
