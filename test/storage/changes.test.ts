import { randomBytes } from 'node:crypto';
import postgres from 'postgres';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { RoomChanged } from '../../src/domain/events.js';
import type { EpochStore } from '../../src/domain/history.js';
import { newId } from '../../src/domain/id.js';
import type { Message } from '../../src/domain/message/message.js';
import type { MessageStore } from '../../src/domain/message/store.js';
import type { RoomStore } from '../../src/domain/room.js';
import { openDatabase, prepareDatabase } from '../../src/storage/database.js';
import { createEpochStore, readEpoch } from '../../src/storage/epoch.js';
import { createMessageStore } from '../../src/storage/message/store.js';
import { createRoomStore } from '../../src/storage/room.js';
import { createUserStore } from '../../src/storage/user.js';
import { addressOf, createTestDatabase } from '../helpers/database.js';
import { numbers } from '../helpers/model-room.js';

/** Edits and ended memberships, which take a `rev` as new messages do. */

let opened: ReturnType<typeof openDatabase>;
let messages: MessageStore;
let rooms: RoomStore;
let epochs: EpochStore;
let sql: postgres.Sql;
let alice: string;
let bob: string;

const silent = { debug() {}, info() {}, warn() {}, error() {} };

beforeAll(async () => {
  const database = await createTestDatabase();
  await prepareDatabase(addressOf(database), silent, new AbortController().signal);
  opened = openDatabase(addressOf(database));
  sql = postgres({ ...database.connection, onnotice: () => {} });
  messages = createMessageStore(opened);
  rooms = createRoomStore(opened);
  epochs = createEpochStore(opened);
  const users = createUserStore(opened);
  const signUp = async (username: string) => {
    const id = newId();
    await users.create({ id, username, displayName: username, passwordHash: '' });
    return id;
  };
  [alice, bob] = [await signUp('alice'), await signUp('bob')];
});

afterAll(async () => {
  await sql.end();
  await opened.close();
});

/** Creates a room with alice and bob as members, and `count` messages of alice's. */
async function roomWith(count: number): Promise<{ roomId: string; sent: readonly Message[] }> {
  const { id: roomId } = await rooms.create({
    id: newId(),
    kind: 'PUBLIC',
    name: 'room',
    topic: null,
    creatorId: alice,
  });
  // Inserted directly, because joining would add a message.
  await sql`insert into members (room_id, user_id) values (${roomId}, ${bob})`;
  await sql`update rooms set member_count = 2 where id = ${roomId}`;
  const drafts = numbers(1, count).map((n) => ({
    id: newId(),
    authorId: alice,
    text: `${n}`,
    clientMessageId: n === 1 ? 'first' : null,
  }));
  const { change } = await messages.send(roomId, drafts);
  return { roomId, sent: change?.messages ?? [] };
}

const edit = (message: Message | undefined, text: string, editorId = alice) =>
  messages.edit({ roomId: message?.roomId ?? '', messageId: message?.id ?? '', editorId, text });

async function edited(message: Message | undefined, text: string): Promise<RoomChanged> {
  const outcome = await edit(message, text);
  if (outcome.kind !== 'edited') throw new Error(outcome.kind);
  return outcome.change;
}

const headOf = async (roomId: string) => (await messages.readHeads([roomId])).heads.get(roomId)?.head;

test("an edited message gets the room's next `rev` and keeps its `seq`", async () => {
  const { roomId, sent } = await roomWith(3);
  const change = await edited(sent[0], 'changed');
  expect(change).toMatchObject({ roomId, head: { seq: 3, rev: 4 }, epoch: await opened.run(readEpoch) });
  const [message] = change.messages;
  expect(message).toEqual({
    ...sent[0],
    text: 'changed',
    rev: 4,
    revision: 2,
    changedAt: expect.any(Date),
  });
  expect(message?.changedAt?.getTime()).toBeGreaterThanOrEqual(message?.createdAt.getTime() ?? Infinity);
  expect(await headOf(roomId)).toEqual({ seq: 3, rev: 4 });
  const again = await edited(sent[0], 'and again');
  expect(again.messages[0]).toMatchObject({ rev: 5, revision: 3 });
  const page = await messages.read(roomId, [bob], { from: 'end', size: 5, after: null, before: null });
  expect(page?.messages.map(({ text }) => text)).toEqual(['and again', '2', '3']);
});

test('only the author can edit a message, and only while they are a member', async () => {
  const { roomId, sent } = await roomWith(2);
  expect(await edit(sent[0], 'no', bob)).toEqual({ kind: 'not-author' });
  expect(await edit(sent[0], 'no', newId())).toEqual({ kind: 'not-found' });
  expect(await messages.edit({ roomId, messageId: newId(), editorId: alice, text: 'no' })).toEqual({
    kind: 'not-found',
  });
  const { roomId: other } = await roomWith(1);
  const messageId = sent[0]?.id ?? '';
  expect(await messages.edit({ roomId: other, messageId, editorId: alice, text: 'no' })).toEqual({
    kind: 'not-found',
  });
  await rooms.removeMember({ roomId, userId: alice, actorId: alice, messageId: newId() });
  expect(await edit(sent[0], 'no')).toEqual({ kind: 'not-found' });
  expect(await headOf(roomId)).toEqual({ seq: 3, rev: 3 });
});

test('a retry of a send returns the edited message, but is compared with the text first sent', async () => {
  const { roomId, sent } = await roomWith(1);
  await edited(sent[0], 'changed');
  const retry = { id: newId(), authorId: alice, text: '1', clientMessageId: 'first' };
  const { outcomes, change } = await messages.send(roomId, [
    retry,
    { ...retry, id: newId(), text: 'changed' },
  ]);
  expect(outcomes).toMatchObject([
    {
      kind: 'repeated',
      message: { id: sent[0]?.id, text: 'changed', revision: 2, changedAt: expect.any(Date) },
    },
    { kind: 'conflict', existingId: sent[0]?.id },
  ]);
  expect(change).toBeNull();
});

test('concurrent sends, edits and removals get a `rev` each, without gaps', async () => {
  const { roomId, sent } = await roomWith(10);
  await Promise.all([
    ...numbers(1, 30).map((n) =>
      messages.send(roomId, [{ id: newId(), authorId: alice, text: `more ${n}`, clientMessageId: null }]),
    ),
    ...numbers(1, 30).map((n) => edited(sent[n % 10], `change ${n}`)),
    rooms.removeMember({ roomId, userId: bob, actorId: alice, messageId: newId() }),
  ]);
  expect(await headOf(roomId)).toEqual({ seq: 41, rev: 71 });
  const rows = await sql<{ seq: number; rev: string; revision: number }[]>`
    select seq, rev, revision from messages where room_id = ${roomId} order by seq`;
  expect(rows.map(({ seq }) => seq)).toEqual(numbers(1, 41));
  expect(new Set(rows.map(({ rev }) => rev)).size).toBe(41);
  // Each edit raised the revision of exactly one message.
  expect(rows.reduce((sum, { revision }) => sum + revision, 0)).toBe(71);
});

test('a leave or removal is recorded in the sequence, and ends the membership', async () => {
  const { roomId } = await roomWith(0);
  const removal = { roomId, userId: bob, actorId: alice, messageId: newId() };
  const change = await rooms.removeMember(removal);
  expect(change).toMatchObject({
    head: { seq: 1, rev: 1 },
    messages: [{ id: removal.messageId, type: 'MEMBER_REMOVED', authorId: alice, subjectId: bob, text: '' }],
  });
  expect(await rooms.removeMember({ ...removal, messageId: newId() })).toBeNull();
  const [found] = await rooms.findVisible([roomId], bob);
  expect(found).toMatchObject({ isMember: false, room: { memberCount: 1 } });
  const back = await rooms.join({ roomId, userId: bob, messageId: newId() });
  expect(back?.change?.messages).toMatchObject([{ type: 'MEMBER_JOINED', authorId: bob, subjectId: bob }]);
  const left = await rooms.removeMember({ ...removal, actorId: bob, messageId: newId() });
  expect(left?.messages).toMatchObject([{ type: 'MEMBER_LEFT', authorId: bob, subjectId: bob }]);
});

test('changes are read by `rev`, each message once in its current state, within the range', async () => {
  const { roomId, sent } = await roomWith(6);
  for (const index of [4, 1, 0, 1, 5]) await edited(sent[index], `changed ${index}`);
  const read = async (range: { seq: number; after: number; upTo: number; size: number }) =>
    (await messages.readChanges(roomId, [bob], range))?.messages.map(({ seq, rev }) => [seq, rev]);
  const all = [
    [5, 7],
    [1, 9],
    [2, 10],
    [6, 11],
  ];
  expect(await read({ seq: 6, after: 6, upTo: 11, size: 10 })).toEqual(all);
  expect(await read({ seq: 5, after: 6, upTo: 11, size: 10 })).toEqual(all.slice(0, 3));
  expect(await read({ seq: 6, after: 7, upTo: 10, size: 10 })).toEqual(all.slice(1, 3));
  expect(await read({ seq: 6, after: 6, upTo: 11, size: 2 })).toEqual(all.slice(0, 2));
  const outside = await messages.readChanges(roomId, [newId()], { seq: 6, after: 0, upTo: 11, size: 10 });
  expect(outside).toEqual({
    head: { seq: 6, rev: 11 },
    isPublic: true,
    memberIds: new Set(),
    messages: [],
  });

  const missing = newId();
  const found = await messages.readSince([
    { roomId, rev: 6, limit: 3 },
    { roomId: missing, rev: 0, limit: 3 },
  ]);
  const since = found.get(roomId);
  expect(since?.head).toEqual({ seq: 6, rev: 11 });
  expect(since?.messages.map(({ seq, rev }) => [seq, rev])).toEqual(all.slice(0, 3));
  expect(found.has(missing)).toBe(false);
});

test('the heads of more rooms than a statement has parameters are compared, and those that differ are returned', async () => {
  const rooms = await Promise.all([roomWith(2), roomWith(2), roomWith(2)]);
  const [same, behind, ahead] = rooms.map(({ roomId }) => roomId);
  const missing = numbers(1, 70_000).map(() => newId());
  const known = [
    ...missing.map((roomId) => ({ roomId, head: { seq: 1, rev: 1 }, newestId: null })),
    { roomId: same ?? '', head: { seq: 2, rev: 2 }, newestId: null },
    { roomId: behind ?? '', head: { seq: 1, rev: 1 }, newestId: null },
    { roomId: ahead ?? '', head: { seq: 3, rev: 2 }, newestId: null },
  ];
  const epoch = await opened.run(readEpoch);
  const found = await messages.compareHeads(known);
  expect(found).toMatchObject({ epoch, isMoved: false });
  expect(found.heads.size).toBe(70_002);
  expect(found.heads.get(missing[0] ?? '')).toBeNull();
  expect(found.heads.has(same ?? '')).toBe(false);
  expect(found.heads.get(behind ?? '')).toEqual({ seq: 2, rev: 2 });
  expect(found.heads.get(ahead ?? '')).toEqual({ seq: 2, rev: 2 });
  const { heads } = await messages.readHeads([same ?? '']);
  const [head] = [...heads.values()];
  if (!head) throw new Error('There is no head.');
  const comparing = (newestId: string | null) =>
    messages.compareHeads([{ roomId: same ?? '', head: head.head, newestId }]);
  expect(head.newestId).not.toBeNull();
  expect((await comparing(head.newestId)).heads.size).toBe(0);
  expect((await comparing(newId())).heads.get(same ?? '')).toBe('replaced');
  expect(await messages.compareHeads([])).toEqual({ epoch, isMoved: false, heads: new Map() });
  expect(await messages.readHeads([newId()])).toEqual({ epoch, heads: new Map() });
});

test('ten instances that find the history lost create one new epoch, and write with it', async () => {
  const { roomId } = await roomWith(1);
  const known = await opened.run(readEpoch);
  await Promise.all(numbers(1, 10).map(() => epochs.renew(known)));
  const renewed = await opened.run(readEpoch);
  expect(renewed).toMatch(/^[0-9a-f]{16}$/);
  expect(renewed).not.toBe(known);
  await epochs.renew(known);
  expect(await opened.run(readEpoch)).toBe(renewed);
  const draft = { id: newId(), authorId: alice, text: 'later', clientMessageId: null };
  expect((await messages.send(roomId, [draft])).change?.epoch).toBe(renewed);
});

test('ten instances that find another server create one new epoch, and none on the same server', async () => {
  const before = await opened.run(readEpoch);
  await epochs.check();
  expect(await opened.run(readEpoch)).toBe(before);
  await sql`update meta set value = ${randomBytes(4).toString('hex')} where key = 'server'`;
  expect((await messages.compareHeads([])).isMoved).toBe(true);
  const seen = new Set<string>();
  await Promise.all(
    numbers(1, 10).map(async () => {
      await epochs.check();
      seen.add(await opened.run(readEpoch));
    }),
  );
  expect(seen.size).toBe(1);
  expect([...seen]).not.toContain(before);
  expect((await messages.compareHeads([])).isMoved).toBe(false);
});
