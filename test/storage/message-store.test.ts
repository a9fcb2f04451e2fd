import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import postgres from 'postgres';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { InvalidDataError } from '../../src/domain/errors.js';
import { newId } from '../../src/domain/id.js';
import type { MessageDraft } from '../../src/domain/message/message.js';
import { createSendQueue } from '../../src/domain/message/send-queue.js';
import type { MessageStore, SendOutcome } from '../../src/domain/message/store.js';
import type { Range } from '../../src/domain/page.js';
import type { Log } from '../../src/domain/ports.js';
import type { RoomKind, RoomStore } from '../../src/domain/room.js';
import { openDatabase, prepareDatabase } from '../../src/storage/database.js';
import { readEpoch } from '../../src/storage/epoch.js';
import { createMessageStore } from '../../src/storage/message/store.js';
import type { Pool } from '../../src/storage/pool.js';
import { createRoomStore } from '../../src/storage/room.js';
import { createUserStore } from '../../src/storage/user.js';
import { addressOf, createTestDatabase, type TestDatabase } from '../helpers/database.js';

const warnings: string[] = [];
const log: Log = {
  debug: () => {},
  info: () => {},
  warn: (_fields, message) => void warnings.push(message),
  error: (_fields, message) => void warnings.push(message),
};

const connectTo = ({ connection }: TestDatabase) => postgres({ ...connection, onnotice: () => {} });

/** Three instances on one database, each with a pool and a store of its own. */
let databases: Pool[] = [];
let stores: [MessageStore, MessageStore, MessageStore];
let store: MessageStore;
let rooms: RoomStore;
let people: string[];
let shared: TestDatabase;
/** The test's own connections. */
let sql: postgres.Sql;

beforeAll(async () => {
  const database = await createTestDatabase();
  shared = database;
  await prepareDatabase(addressOf(database), log, new AbortController().signal);
  const open = () => {
    const opened = openDatabase(addressOf(database));
    databases.push(opened);
    return createMessageStore(opened);
  };
  stores = [open(), open(), open()];
  store = stores[0];
  sql = connectTo(database);
  const [opened] = databases;
  if (!opened) throw new Error('No database is open.');
  rooms = createRoomStore(opened);
  const users = createUserStore(opened);
  people = await Promise.all(
    Array.from({ length: 20 }, async (_, index) => {
      const username = `person-${index}`;
      const id = newId();
      await users.create({ id, username, displayName: username, passwordHash: '' });
      return id;
    }),
  );
});

afterAll(async () => {
  await sql?.end();
  await Promise.all(databases.map((database) => database.close()));
  databases = [];
});

/** Creates a room without messages: its members are inserted directly, because joining would add messages. */
async function createRoom(members: readonly string[] = people, kind: RoomKind = 'PUBLIC'): Promise<string> {
  const [creatorId = '', ...others] = members;
  const { id } = await rooms.create({ id: newId(), kind, name: 'room', topic: null, creatorId });
  if (others.length > 0)
    await sql`insert into members ${sql(others.map((user_id) => ({ room_id: id, user_id })))}`;
  return id;
}

function draft(text: string, clientMessageId: string | null = null, author = 0): MessageDraft {
  return { id: newId(), authorId: people[author] ?? '', text, clientMessageId };
}

const range = (from: 'start' | 'end', size: number, after: number | null = null): Range<number> => ({
  from,
  size,
  after,
  before: null,
});

async function read(roomId: string, ...args: Parameters<typeof range>) {
  const found = await store.read(roomId, [people[0] ?? ''], range(...args));
  if (!found) throw new Error('There is no such room.');
  return found;
}

async function since(roomId: string, rev: number) {
  return (await store.readSince([{ roomId, rev, limit: 1000 }])).get(roomId);
}

const numbers = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i);
const seqs = (messages: readonly { seq: number }[]) => messages.map(({ seq }) => seq);
const kinds = (outcomes: readonly SendOutcome[]) => outcomes.map(({ kind }) => kind);
const storeOf = (index: number): MessageStore => stores[index % stores.length] ?? store;

/** Sends as fast as possible, as twenty people on three instances. */
function writers(roomId: string, each: number): Promise<unknown> {
  return Promise.all(
    people.map(async (_, author) => {
      for (let count = 0; count < each; count += 1)
        await storeOf(author).send(roomId, [draft(`${author}: ${count}`, null, author)]);
    }),
  );
}

test('concurrent senders on several instances share one sequence without gaps, in the order of each sender', async () => {
  const roomId = await createRoom();
  await writers(roomId, 5);
  const { head, messages } = await read(roomId, 'start', 100);
  expect(head).toEqual({ seq: 100, rev: 100 });
  expect(seqs(messages)).toEqual(numbers(1, 100));
  expect(messages.map(({ rev }) => rev)).toEqual(numbers(1, 100));
  for (const [author, id] of people.entries())
    expect(messages.filter(({ authorId }) => authorId === id).map(({ text }) => text)).toEqual(
      numbers(0, 4).map((count) => `${author}: ${count}`),
    );
  for (const [index, { createdAt }] of messages.entries())
    expect(createdAt.getTime()).toBeGreaterThanOrEqual(messages[index - 1]?.createdAt.getTime() ?? 0);
});

test('a write that waits for another one is numbered after it, so that no reader sees it first', async () => {
  const roomId = await createRoom();
  const send = (text: string) => store.send(roomId, [draft(text)]);
  await send('before');
  // Another writer of the room, which takes its number first and commits last.
  let commit = (): void => {};
  const committing = new Promise<void>((resolve) => {
    commit = resolve;
  });
  let insert = (): void => {};
  const inserted = new Promise<void>((resolve) => {
    insert = resolve;
  });
  const first = draft('first');
  const drafts = [{ id: first.id, author_id: first.authorId, text: first.text, client_message_id: null }];
  const slow = sql.begin(async (transaction) => {
    await transaction`select from send_messages(${roomId}, ${transaction.json(drafts)})`;
    insert();
    await committing;
  });
  await inserted;
  const second = send('second');
  expect(seqs((await read(roomId, 'start', 10)).messages)).toEqual([1]);
  // The second write waits for the head lock.
  await expect
    .poll(async () => (await sql`select from pg_stat_activity where wait_event_type = 'Lock'`).length)
    .toBeGreaterThan(0);
  commit();
  await Promise.all([slow, second]);
  const { head, messages } = await read(roomId, 'start', 10, 1);
  expect(messages.map(({ seq, text }) => [seq, text])).toEqual([
    [2, 'first'],
    [3, 'second'],
  ]);
  expect(head).toEqual({ seq: 3, rev: 3 });
});

test('page and head are read in one snapshot during writes, and nothing is skipped from page to page', async () => {
  const roomId = await createRoom();
  let writing = true;
  const written = writers(roomId, 10).finally(() => {
    writing = false;
  });
  const pager = async (): Promise<number> => {
    let pages = 0;
    for (; writing; pages += 1) {
      const { head, messages } = await read(roomId, 'end', 10);
      expect(seqs(messages)).toEqual(numbers(Math.max(1, head.seq - 9), head.seq));
    }
    return pages;
  };
  const follower = async (): Promise<number[]> => {
    const got: number[] = [];
    while (writing || got.length < 200)
      got.push(...seqs((await read(roomId, 'start', 7, got.at(-1) ?? 0)).messages));
    return got;
  };
  const feed = async (): Promise<number[]> => {
    const got: number[] = [];
    while (writing || got.length < 200) {
      const found = await since(roomId, got.at(-1) ?? 0);
      expect(found?.messages.at(-1)?.seq ?? got.at(-1) ?? 0).toBe(found?.head.seq);
      got.push(...seqs(found?.messages ?? []));
    }
    return got;
  };
  const [pages, followed, fed] = await Promise.all([pager(), follower(), feed(), written]);
  expect(pages).toBeGreaterThan(3);
  expect(followed).toEqual(numbers(1, 200));
  expect(fed).toEqual(numbers(1, 200));
});

test('a retry with the same clientMessageId returns the first message and stores nothing', async () => {
  const roomId = await createRoom();
  const [first] = (await store.send(roomId, [draft('text', 'key')])).outcomes;
  const { outcomes, change } = await store.send(roomId, [draft('text', 'key')]);
  expect(first).toMatchObject({ kind: 'sent', message: { seq: 1, clientMessageId: 'key' } });
  expect(outcomes).toEqual([{ ...first, kind: 'repeated' }]);
  expect(change).toBeNull();
  expect((await read(roomId, 'start', 10)).head).toEqual({ seq: 1, rev: 1 });
});

test('reusing a clientMessageId with another text is a conflict', async () => {
  const roomId = await createRoom();
  const first = draft('text', 'key');
  await store.send(roomId, [first]);
  const { outcomes, change } = await store.send(roomId, [draft('Text', 'key')]);
  expect(outcomes).toEqual([{ kind: 'conflict', existingId: first.id }]);
  expect(change).toBeNull();
});

test('a clientMessageId is scoped to its sender and room, also within one batch', async () => {
  const [roomId, otherRoomId] = [await createRoom(), await createRoom()];
  const batch = [draft('a', 'key'), draft('a', 'key', 1), draft('a', 'key'), draft('b', 'key'), draft('c')];
  expect(kinds((await store.send(roomId, batch)).outcomes)).toEqual([
    'sent',
    'sent',
    'repeated',
    'conflict',
    'sent',
  ]);
  expect(kinds((await store.send(otherRoomId, [draft('a', 'key')])).outcomes)).toEqual(['sent']);
  expect(seqs((await read(roomId, 'start', 10)).messages)).toEqual([1, 2, 3]);
});

test('one of several concurrent retries with the same clientMessageId is stored', async () => {
  const roomId = await createRoom();
  const results = await Promise.all(
    numbers(0, 11).map((index) => storeOf(index).send(roomId, [draft('text', 'key'), draft(`${index}`)])),
  );
  const keyed = results.flatMap(({ outcomes }) => outcomes[0] ?? []);
  expect(kinds(keyed).sort()).toEqual([...Array(11).fill('repeated'), 'sent']);
  expect(new Set(keyed.map((outcome) => 'message' in outcome && outcome.message.id)).size).toBe(1);
  expect(seqs((await read(roomId, 'start', 100)).messages)).toEqual(numbers(1, 13));
});

test('a draft that is sent again, as after a lost connection, is stored once and reported as sent', async () => {
  const roomId = await createRoom();
  const drafts = [draft('a'), draft('b', 'key')];
  const first = await store.send(roomId, drafts);
  await store.send(roomId, [draft('c')]);
  const again = await store.send(roomId, [...drafts, draft('d')]);
  expect(again.outcomes.slice(0, 2)).toEqual(first.outcomes);
  expect(again.outcomes[2]).toMatchObject({ kind: 'sent', message: { seq: 4 } });
  expect((await read(roomId, 'start', 10)).messages.map(({ text }) => text)).toEqual(['a', 'b', 'c', 'd']);
});

test('drafts of non-members are rejected without failing the others of the batch', async () => {
  const members = [people[0] ?? '', people[2] ?? ''];
  const batch = () => [draft('a'), draft('b', 'key', 1), draft('c', null, 2)];
  const publicRoom = await createRoom(members);
  const { outcomes, change } = await store.send(publicRoom, batch());
  expect(kinds(outcomes)).toEqual(['sent', 'not-a-member', 'sent']);
  expect(change).toMatchObject({ roomId: publicRoom, head: { seq: 2, rev: 2 } });
  expect(change?.messages.map(({ seq, text }) => [seq, text])).toEqual([
    [1, 'a'],
    [2, 'c'],
  ]);
  const privateRoom = await createRoom(members, 'PRIVATE');
  expect(kinds((await store.send(privateRoom, batch())).outcomes)).toEqual(['sent', 'not-found', 'sent']);
  expect(await store.send(randomUUID(), batch())).toEqual({
    outcomes: Array(3).fill({ kind: 'not-found' }),
    change: null,
  });
});

test('a send returns the same message that every reader receives', async () => {
  const roomId = await createRoom();
  const { outcomes, change } = await store.send(roomId, [draft('zu\u0308rich 🎉 "\\ \'', 'kéy')]);
  const sent = outcomes.flatMap((outcome) => ('message' in outcome ? [outcome.message] : []));
  expect(sent[0]?.text).toBe('zu\u0308rich 🎉 "\\ \'');
  expect(change?.messages).toEqual(sent);
  expect((await read(roomId, 'start', 10)).messages).toEqual(sent);
  expect((await read(roomId, 'end', 10)).messages).toEqual(sent);
  expect((await since(roomId, 0))?.messages).toEqual(sent);
  expect(await store.findByIds([sent[0]?.id ?? ''], people[0] ?? '')).toEqual(sent);
});

test('a send returns the message with its author in their current state', async () => {
  const roomId = await createRoom();
  const [author = ''] = people;
  const authorOf = async () => {
    const { outcomes, change } = await store.send(roomId, [draft('a')]);
    const [outcome] = outcomes;
    const sent = outcome && 'message' in outcome ? outcome.message : undefined;
    expect(change?.messages[0]?.author).toEqual(sent?.author);
    return sent?.author;
  };
  const [row] = await sql`select username, avatar_url, created_at from users where id = ${author}`;
  expect(await authorOf()).toEqual({
    id: author,
    username: row?.username,
    displayName: 'person-0',
    avatarUrl: row?.avatar_url,
    createdAt: row?.created_at,
  });
  await sql`update users set display_name = 'Renamed' where id = ${author}`;
  expect(await authorOf()).toMatchObject({ id: author, displayName: 'Renamed' });
  await sql`update users set display_name = 'person-0' where id = ${author}`;
});

test('createdAt never goes back, even if the clock does', async () => {
  const roomId = await createRoom();
  const ahead = new Date('2100-01-01T00:00:00.000Z');
  await store.send(roomId, [draft('a')]);
  await sql`update messages set created_at = ${ahead} where room_id = ${roomId}`;
  await rooms.join({ roomId, userId: people[1] ?? '', messageId: newId() });
  await store.send(roomId, [draft('b')]);
  const { messages } = await read(roomId, 'start', 10);
  expect(messages.map(({ createdAt }) => createdAt)).toEqual(messages.map(() => ahead));
});

test('nothing of a call with data that the database rejects is stored, but everything else of a queue is', async () => {
  const roomId = await createRoom();
  await expect(store.send(roomId, [draft('a'), draft('b\0')])).rejects.toThrow(InvalidDataError);
  expect((await read(roomId, 'start', 10)).head.seq).toBe(0);
  const queue = createSendQueue(store.send, () => {}, log);
  const results = await Promise.allSettled(
    ['a', 'b', 'c\0', 'd'].map((text) => queue.send(roomId, draft(text))),
  );
  expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected', 'fulfilled']);
  expect((await read(roomId, 'start', 10)).messages.map(({ text }) => text)).toEqual(['a', 'b', 'd']);
});

/** Holds the head lock in a transaction until `send` waits for it, then runs `meanwhile` in it and commits. */
async function whileItWaits<Result>(
  roomId: string,
  send: () => Promise<Result>,
  meanwhile: (transaction: postgres.TransactionSql) => Promise<unknown>,
): Promise<Result> {
  const { sending } = await sql.begin(async (transaction) => {
    await transaction`select from rooms where id = ${roomId} for no key update`;
    const sending = send();
    await expect.poll(waitingBackends, { interval: 10, timeout: 10_000 }).toHaveLength(1);
    await meanwhile(transaction);
    // In an object: the transaction would wait for a returned promise, which waits for the transaction.
    return { sending };
  });
  return sending;
}

async function waitingBackends(): Promise<number[]> {
  const rows = await sql<{ pid: number }[]>`
    select pid from pg_stat_activity
    where datname = current_database() and wait_event_type = 'Lock' and query like '%send_messages%'`;
  return rows.map(({ pid }) => pid);
}

test('the message of a member who is removed while it waits for the head lock is rejected', async () => {
  const roomId = await createRoom();
  const { outcomes } = await whileItWaits(
    roomId,
    () => store.send(roomId, [draft('a')]),
    (transaction) =>
      transaction`delete from members where room_id = ${roomId} and user_id = ${people[0] ?? ''}`,
  );
  expect(outcomes).toEqual([{ kind: 'not-a-member' }]);
});

test('a retry that waited for the head lock behind its first attempt finds that attempt', async () => {
  const roomId = await createRoom();
  const first = draft('text', 'key');
  const { outcomes } = await whileItWaits(
    roomId,
    () => store.send(roomId, [draft('text', 'key'), draft('other')]),
    (transaction) => transaction`
      select from send_messages(${roomId}, ${sql.json([
        { id: first.id, author_id: first.authorId, text: first.text, client_message_id: 'key' },
      ])})`,
  );
  expect(outcomes).toMatchObject([
    { kind: 'repeated', message: { id: first.id, seq: 1 } },
    { kind: 'sent', message: { seq: 2 } },
  ]);
});

test('a message is sent once if the connection is lost during its send', async () => {
  const roomId = await createRoom();
  const { outcomes } = await whileItWaits(
    roomId,
    () => store.send(roomId, [draft('a')]),
    async () => {
      for (const pid of await waitingBackends()) await sql`select pg_terminate_backend(${pid})`;
    },
  );
  expect(outcomes).toMatchObject([{ kind: 'sent', message: { seq: 1 } }]);
  expect((await read(roomId, 'start', 10)).messages).toHaveLength(1);
});

/** The last message of Postgres before it closes a connection (PostgreSQL documentation, 54.7: ErrorResponse). */
function shutdownMessage(): Buffer {
  const fields = Buffer.from('SFATAL\0VFATAL\0C57P01\0Mterminating connection\0\0');
  const length = Buffer.alloc(4);
  length.writeUInt32BE(4 + fields.length);
  return Buffer.concat([Buffer.from('E'), length, fields]);
}

/** A proxy to Postgres that closes its first connection at the client's n-th packet, as Postgres itself would. */
async function cuttingProxy(packets: number): Promise<{ port: number; close(): void }> {
  const { hostname, port } = new URL(shared.url);
  const sockets = new Set<Socket>();
  let cut = false;
  const server = createServer((client) => {
    const upstream = connect(Number(port), hostname);
    const isFirst = sockets.size === 0;
    let sent = 0;
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => [client, upstream].map((each) => each.destroy()));
    }
    client.on('data', (data) => {
      sent += 1;
      if (!isFirst || cut || sent < packets) upstream.write(data);
      else {
        cut = true;
        client.end(shutdownMessage());
      }
    });
    upstream.pipe(client);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const address = server.address();
  return {
    port: typeof address === 'object' && address ? address.port : 0,
    close() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

test.each([1, 2, 3, 4])(
  'a read whose connection is lost with its packet %d is retried, without an unhandled rejection',
  async (packets) => {
    const unhandled: unknown[] = [];
    const record = (reason: unknown) => void unhandled.push(reason);
    process.on('unhandledRejection', record);
    const proxy = await cuttingProxy(packets);
    const { database, username } = shared.connection;
    const opened = openDatabase({ connection: { host: '127.0.0.1', port: proxy.port, database, username } });
    try {
      const users = createUserStore(opened);
      const find = () => users.findByIds(people.slice(0, 1));
      for (const found of [await find(), await find()]) expect(found).toHaveLength(1);
      await Promise.all(numbers(1, 20).map(() => opened.ping()));
      // Node reports an unhandled rejection after the microtasks.
      await new Promise((resolve) => setImmediate(resolve));
      expect(unhandled).toEqual([]);
    } finally {
      process.off('unhandledRejection', record);
      await opened.close();
      proxy.close();
    }
  },
);

test('a user joins once, also with concurrent joins', async () => {
  const roomId = await createRoom([people[0] ?? '']);
  const userId = people[1] ?? '';
  const joined = await Promise.all(
    numbers(1, 5).map(() => rooms.join({ roomId, userId, messageId: newId() })),
  );
  expect(joined.filter((result) => result?.change)).toHaveLength(1);
  const { messages, head } = await read(roomId, 'start', 10);
  expect(head).toEqual({ seq: 1, rev: 1 });
  expect(messages).toMatchObject([{ type: 'MEMBER_JOINED', authorId: userId, text: '' }]);
  expect((await rooms.findVisible([roomId], userId))[0]?.room.memberCount).toBe(2);
});

test('ten instances that start on an empty database create one set of tables and one epoch', async () => {
  const empty = await createTestDatabase();
  const signal = new AbortController().signal;
  const opened = openDatabase(addressOf(empty));
  const direct = connectTo(empty);
  warnings.length = 0;
  try {
    const epochs = await Promise.all(
      numbers(1, 10).map(async () => {
        await prepareDatabase(addressOf(empty), log, signal);
        return opened.run(readEpoch);
      }),
    );
    expect(new Set(epochs).size).toBe(1);
    expect(epochs[0]).toMatch(/^[0-9a-f]{16}$/);
    const applied = await direct<{ hash: string }[]>`select hash from drizzle.__drizzle_migrations`;
    expect(applied.length).toBeGreaterThan(0);
    expect(new Set(applied.map(({ hash }) => hash)).size).toBe(applied.length);
    expect(warnings).toEqual([]);
  } finally {
    await direct.end();
    await opened.close();
  }
});

test('a new epoch is created if the data is on another server than before', async () => {
  const moved = await createTestDatabase();
  const prepare = () => prepareDatabase(addressOf(moved), log, new AbortController().signal);
  const opened = openDatabase(addressOf(moved));
  const direct = connectTo(moved);
  try {
    await prepare();
    const before = await opened.run(readEpoch);
    await prepare();
    expect(await opened.run(readEpoch)).toBe(before);
    await direct`update meta set value = '1/1' where key = 'server'`;
    warnings.length = 0;
    await prepare();
    expect(await opened.run(readEpoch)).not.toBe(before);
    expect(warnings).toHaveLength(1);
  } finally {
    await direct.end();
    await opened.close();
  }
});
