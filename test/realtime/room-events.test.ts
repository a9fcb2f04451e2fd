import { beforeAll, expect, test } from 'vitest';
import { encodeMessageCursor } from '../../src/domain/cursor.js';
import { newId } from '../../src/domain/id.js';
import { rowId } from '../../src/graphql/schema/global-id.js';
import {
  connect,
  createRoom,
  joinRoom,
  type Person,
  page,
  ROOM_EVENTS,
  type RoomEvent,
  send,
  signUp,
  subscribe,
  subscribeToEvents,
} from '../helpers/client.js';
import { openStores } from '../helpers/database.js';
import { openEventStream } from '../helpers/event-stream.js';
import { startParley, type TestParley } from '../helpers/parley.js';
import { random } from '../helpers/random.js';

/*
 * There is no mutation yet that changes a message or ends a membership, so these tests write through the stores. This is
 * like a write on another instance whose notification was lost: the tick finds it within a second.
 */

let parley: TestParley;
let alice: Person;
let stores: ReturnType<typeof openStores>;

beforeAll(async () => {
  parley = await startParley();
  alice = await signUp(parley.url);
  stores = openStores(parley.database);
});

const row = (type: 'Room' | 'User' | 'Message', id: string): string => rowId(type, id) ?? '';
const connectAs = ({ token }: Person) => connect(parley.webSocketUrl, { token });

async function edit(roomId: string, messageId: string, text: string): Promise<void> {
  const { kind } = await stores.messages.edit({
    roomId: row('Room', roomId),
    messageId: row('Message', messageId),
    editorId: row('User', alice.userId),
    text,
  });
  expect(kind).toBe('edited');
}

async function remove(roomId: string, person: Person, actor = person): Promise<void> {
  const change = await stores.rooms.removeMember({
    roomId: row('Room', roomId),
    userId: row('User', person.userId),
    actorId: row('User', actor.userId),
    messageId: newId(),
  });
  expect(change).not.toBeNull();
}

const summarize = ({ __typename, edge, message, gapReason }: RoomEvent) =>
  [__typename.replace('Event', ''), edge?.node.text ?? message?.text ?? gapReason].join(' ').trim();

test('the events after a liveCursor are additions and changes, then CaughtUpEvent, then live events', async () => {
  const roomId = await createRoom(alice);
  const [one, two] = [await send(alice, roomId, 'one'), await send(alice, roomId, 'two')];
  const { liveCursor } = await page(alice, roomId);
  await edit(roomId, one.node.id, 'one!');
  const three = await send(alice, roomId, 'three');
  await edit(roomId, one.node.id, 'one!!');

  const events = subscribeToEvents(connectAs(alice), roomId, liveCursor);
  await events.received(3);
  const four = await send(alice, roomId, 'four');
  await events.received(4);
  await edit(roomId, two.node.id, 'two!');
  const received = await events.received(5);

  expect(received.map(summarize)).toEqual([
    'MessageAdded three',
    'MessageChanged one!!',
    'CaughtUp',
    'MessageAdded four',
    'MessageChanged two!',
  ]);
  expect(received.map((event) => event.edge)).toEqual([three, undefined, undefined, four, undefined]);
  expect(received[1]?.message).toMatchObject({ id: one.node.id, seq: 1, revision: 3 });
  for (const event of received) {
    expect(event.roomId).toBe(roomId);
    expect(event.occurredAt).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  }
  expect(Date.parse(received[4]?.occurredAt ?? '')).toBeGreaterThanOrEqual(Date.parse(four.node.createdAt));

  // Every event's cursor can be resumed from.
  const rest = [
    ['MessageChanged one!!', 'MessageAdded four', 'MessageChanged two!'],
    ['MessageAdded four', 'MessageChanged two!'],
    ['MessageAdded four', 'MessageChanged two!'],
    ['MessageChanged two!'],
    [],
  ];
  const ignored = new Set(['MessageChanged three']);
  for (const [index, { cursor }] of received.entries()) {
    const expected = rest[index] ?? [];
    const again = subscribeToEvents(connectAs(alice), roomId, cursor);
    await expect.poll(() => again.items.map(summarize).includes('CaughtUp')).toBe(true);
    const replayed = again.items.map(summarize).filter((text) => text !== 'CaughtUp' && !ignored.has(text));
    expect(replayed.sort()).toEqual([...expected].sort());
    again.unsubscribe();
  }
});

test('room events are the same over server-sent events as over WebSocket', async () => {
  const roomId = await createRoom(alice);
  const one = await send(alice, roomId, 'one');
  const { liveCursor: after } = await page(alice, roomId);
  await edit(roomId, one.node.id, 'one!');
  const stream = await openEventStream(parley.url, alice, { roomId, after }, ROOM_EVENTS);
  const events = (await stream.received(2)).map(
    ({ result }) => (result?.data as { roomEvents: RoomEvent } | undefined)?.roomEvents,
  );
  expect(events.map((event) => event && summarize(event))).toEqual(['MessageChanged one!', 'CaughtUp']);
  stream.abort();
});

test('room events without a cursor start with the next event', async () => {
  const roomId = await createRoom(alice);
  await send(alice, roomId, 'before');
  const events = subscribeToEvents(connectAs(alice), roomId);
  await events.received(1);
  await send(alice, roomId, 'after');
  expect((await events.received(2)).map(summarize)).toEqual(['CaughtUp', 'MessageAdded after']);
});

test('`messageAdded` delivers no changes, and a page contains them', async () => {
  const roomId = await createRoom(alice);
  const one = await send(alice, roomId, 'one');
  const { liveCursor } = await page(alice, roomId);
  const subscription = subscribe(connectAs(alice), roomId, liveCursor);
  await edit(roomId, one.node.id, 'one!');
  await send(alice, roomId, 'two');
  expect((await subscription.received(1)).map(({ node }) => node.text)).toEqual(['two']);
  const { edges } = await page(alice, roomId);
  expect(edges.map(({ node }) => node.text)).toEqual(['one!', 'two']);
  expect(edges[0]?.cursor).toBe(one.cursor);
});

test('a message cursor, a malformed cursor and one of another room are bad input; one of another history is a gap', async () => {
  const [roomId, other] = [await createRoom(alice), await createRoom(alice)];
  const { cursor } = await send(alice, roomId, 'one');
  const { liveCursor } = await page(alice, roomId);
  const epoch = Buffer.from(liveCursor, 'base64url').toString('hex', 17, 25);
  const at = (of: string, seq: number, rev: number) =>
    encodeMessageCursor({ roomId: row('Room', roomId), epoch: of, seq, rev });
  const client = connectAs(alice);

  for (const [room, after] of [
    [roomId, cursor],
    [roomId, 'nonsense'],
    [other, liveCursor],
  ] as const)
    expect(await subscribeToEvents(client, room, after).ended).toMatchObject([
      { extensions: { code: 'BAD_USER_INPUT', argument: 'after' } },
    ]);

  for (const after of [at('0000000000000000', 0, 0), at(epoch, 2, 1), at(epoch, 1, 2)]) {
    const events = subscribeToEvents(client, roomId, after);
    const [gap, caughtUp] = await events.received(2);
    expect([gap, caughtUp].map((event) => event && summarize(event))).toEqual([
      'HistoryGap RESET',
      'CaughtUp',
    ]);
    expect(gap?.cursor).toBe(liveCursor);
    events.unsubscribe();
  }
  expect(await subscribe(client, roomId, at(epoch, 1, 2)).ended).toMatchObject([
    { extensions: { code: 'HISTORY_GAP', reason: 'RESET' } },
  ]);
});

test.each(['leaves', 'is removed'])(
  'a member who %s receives nothing later on any stream, even if the notification is lost',
  async (how) => {
    const bob = await signUp(parley.url);
    const roomId = await createRoom(alice);
    await joinRoom(bob, roomId);
    const { liveCursor } = await page(bob, roomId);
    const [edges, events] = [
      subscribe(connectAs(bob), roomId, liveCursor),
      subscribeToEvents(connectAs(bob), roomId, liveCursor),
    ];
    await events.received(1);
    await send(alice, roomId, 'still');
    await Promise.all([edges.received(1), events.received(2)]);

    await remove(roomId, bob, how === 'leaves' ? bob : alice);
    await send(alice, roomId, 'no longer');

    for (const stream of [edges, events])
      expect(await stream.ended).toMatchObject([{ extensions: { code: 'FORBIDDEN' } }]);
    expect(edges.edges.map(({ node }) => node.text)).toEqual(['still']);
    expect(events.items.map(summarize)).toEqual(['CaughtUp', 'MessageAdded still']);
    const { edges: all } = await page(alice, roomId);
    expect(all.map(({ node }) => node.type)).toEqual([
      'MEMBER_JOINED',
      'TEXT',
      how === 'leaves' ? 'MEMBER_LEFT' : 'MEMBER_REMOVED',
      'TEXT',
    ]);
  },
);

test('a new epoch is noticed within a tick: `messageAdded` ends, `roomEvents` continues after a gap', async () => {
  const own = await startParley();
  const carol = await signUp(own.url);
  const roomId = await createRoom(carol);
  await send(carol, roomId, 'one');
  const client = connect(own.webSocketUrl, { token: carol.token });
  const { liveCursor } = await page(carol, roomId);
  const [edges, events] = [
    subscribe(client, roomId, liveCursor),
    subscribeToEvents(client, roomId, liveCursor),
  ];
  await events.received(1);
  const epoch = Buffer.from(liveCursor, 'base64url').toString('hex', 17, 25);

  await openStores(own.database).epochs.renew(epoch);

  expect(await edges.ended).toMatchObject([{ extensions: { code: 'HISTORY_GAP', reason: 'RESET' } }]);
  const [, gap] = await events.received(3);
  expect(gap).toMatchObject({ __typename: 'HistoryGapEvent', gapReason: 'RESET' });
  expect(gap?.cursor).toBe((await page(carol, roomId)).liveCursor);
  expect(gap?.cursor).not.toBe(liveCursor);
  await send(carol, roomId, 'two');
  expect((await events.received(4)).map(summarize)).toEqual([
    'CaughtUp',
    'HistoryGap RESET',
    'CaughtUp',
    'MessageAdded two',
  ]);
});

test('random writes and reconnects of a reader: a page plus its events equals a fresh page', async () => {
  const roomId = await createRoom(alice);
  const next = random(Date.now());
  const sent: { id: string; text: string }[] = [];
  const sendOne = async () => {
    const { node } = await send(alice, roomId, `${sent.length}`);
    sent.push({ id: node.id, text: node.text });
  };
  for (let count = 0; count < 10; count += 1) await sendOne();
  const first = await page(alice, roomId, { last: 100 });
  const state = new Map(
    first.edges.map(({ node }) => [node.id, { seq: node.seq, text: node.text, revision: 0 }]),
  );
  let after = first.liveCursor;
  let added = 10;
  const apply = (event: RoomEvent): void => {
    after = event.cursor;
    if (event.edge) {
      const { id, seq, text } = event.edge.node;
      expect(seq).toBe(added + 1);
      added = seq;
      state.set(id, { seq, text, revision: 0 });
    } else if (event.message) {
      const { id, seq, text, revision } = event.message;
      const known = state.get(id);
      if (!known || known.revision < revision) state.set(id, { seq, text, revision });
    }
  };

  let isWriting = true;
  const reading = (async () => {
    while (isWriting) {
      const events = subscribeToEvents(connectAs(alice), roomId, after);
      const count = 1 + Math.floor(next() * 15);
      // Fewer arrive if the writes end before.
      await expect.poll(() => events.items.length >= count || !isWriting).toBe(true);
      events.unsubscribe();
      for (const event of events.items) apply(event);
    }
  })();
  for (let act = 0; act < 90; act += 1) {
    if (next() < 0.5) await sendOne();
    else {
      const target = sent[Math.floor(next() * sent.length)];
      if (target) await edit(roomId, target.id, `${target.text}, ${act}`);
    }
  }
  isWriting = false;
  await reading;
  const last = subscribeToEvents(connectAs(alice), roomId, after);
  await expect.poll(() => last.items.some(({ __typename }) => __typename === 'CaughtUpEvent')).toBe(true);
  for (const event of last.items) apply(event);

  const fresh = (await page(alice, roomId, { last: 100 })).edges.map(({ node }) => node.text);
  const applied = [...state.values()].sort((a, b) => a.seq - b.seq).map(({ text }) => text);
  expect(applied).toEqual(fresh);
  expect(applied.length).toBe(sent.length);
});
