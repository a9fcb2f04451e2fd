import { expect, test, vi } from 'vitest';
import { decodeMessageCursor, encodeMessageCursor, historyGapAfter } from '../../../src/domain/cursor.js';
import type { RoomChanged } from '../../../src/domain/events.js';
import { MODEL_EPOCH, MODEL_ROOM_ID, numbers } from '../../helpers/model-room.js';
import {
  brief,
  by,
  cursor,
  fakeTimers,
  NEW_EPOCH,
  soon,
  subscribeToModel,
  take,
  takeBriefs,
  takeSeqs,
} from '../../helpers/model-subscriptions.js';

/* A database that holds another history than readers have seen: it was restored from a backup, promoted or copied. */

const roomId = MODEL_ROOM_ID;
const epoch = MODEL_EPOCH;

test('a cursor without history ends `messages` with an error; `events` reports a gap and continues', async () => {
  const { room, feeds, subscriptions } = subscribeToModel(3);
  room.edit(1);
  const gaps = [
    encodeMessageCursor({ roomId, epoch: '1111111111111111', seq: 1, rev: 1 }),
    cursor(4, 4),
    cursor(3, 5),
  ];
  for (const after of gaps) {
    await expect(subscriptions.messages(by(after))).rejects.toMatchObject({ reason: 'RESET' });
    const events = await subscriptions.events(by(after));
    const taken = await take(events, 2);
    expect(taken.map(brief)).toEqual(['gap RESET', 'caught-up']);
    expect(taken[0]?.cursor).toBe(cursor(3, 4));
    await events.return();
  }
  const events = await subscriptions.events(by(gaps[0] ?? ''));
  await take(events, 2);
  feeds.publish(room.add());
  expect(await takeBriefs(events, 1)).toEqual(['added 4']);
});

test.each([
  ['that has fewer messages', 3, 0],
  ['that has grown beyond the former head before the next tick', 3, 9],
])(
  'resets all subscriptions after an older copy of the database %s took its place',
  async (_, kept, sentAfter) => {
    const { room, feeds, subscriptions, send } = subscribeToModel(5);
    const edges = await subscriptions.messages(by(null));
    const events = await subscriptions.events(by(null));
    expect(await takeBriefs(events, 1)).toEqual(['caught-up']);
    send();
    expect(await takeBriefs(events, 1)).toEqual(['added 6']);
    expect(await takeSeqs(edges, 1)).toEqual([6]);

    room.restore(kept);
    for (const n of numbers(1, sentAfter)) {
      const change = room.add();
      for (const message of change.messages) Object.assign(message, { id: `after ${n}` });
      feeds.publish(change);
    }
    // Messages of the new history may arrive while the database is asked which one is true.
    await expect(take(edges, 100)).rejects.toMatchObject({ reason: 'RESET' });
    const seen: (string | undefined)[] = [];
    while (!seen.at(-1)?.startsWith('gap')) seen.push(...(await takeBriefs(events, 1)));
    expect(seen.at(-1)).toBe('gap RESET');
    expect(await takeBriefs(events, 1)).toEqual(['caught-up']);
    expect(room.epoch).not.toBe(epoch);
    feeds.publish(room.add());
    expect(await takeBriefs(events, 1)).toEqual([`added ${kept + sentAfter + 1}`]);
  },
);

test('hints that anyone can send do not prevent the detection of another history', async () => {
  fakeTimers();
  const { room, bus, history, feeds, subscriptions } = subscribeToModel(5);
  const edges = await subscriptions.messages(by(null));
  const ended = expect(take(edges, 100)).rejects.toMatchObject({ reason: 'RESET' });
  feeds.publish(room.add());
  let looks = 0;
  const { readHeads } = room.store;
  room.store.readHeads = (ids) => {
    looks += 1;
    return readHeads(ids);
  };
  // The local bus passes on what it is given.
  const hint = { roomId, isHint: true } as unknown as RoomChanged;
  for (const _ of numbers(1, 50)) bus.publish(hint);
  await vi.advanceTimersByTimeAsync(10);
  expect(looks).toBe(1);

  // An older copy that has grown beyond the former head.
  room.restore(3);
  const changes = numbers(1, 9).map(() => room.add());
  for (const { messages } of changes)
    for (const message of messages) Object.assign(message, { id: `other ${message.seq}` });
  for (const change of changes) feeds.publish(change);
  await vi.advanceTimersByTimeAsync(2000);
  await ended;
  expect(history.epoch).toBe(NEW_EPOCH);
});

test('resets a reader who is behind when an older copy of the database takes its place', async () => {
  fakeTimers();
  const { room, subscriptions } = subscribeToModel(150);
  const edges = await subscriptions.messages(by(cursor(0)));
  const events = await soon(subscriptions.events(by(cursor(0, 0))));
  await Promise.all([take(edges, 150), take(events, 150)]);
  // More than the ring holds, so the readers need the database.
  for (let count = 0; count < 1500; count += 1) room.add();
  await vi.advanceTimersByTimeAsync(1100);
  room.restore(100);
  await expect(edges.next()).rejects.toMatchObject({ reason: 'RESET' });
  const rest = take(events, 2);
  await vi.advanceTimersByTimeAsync(3000);
  expect((await rest).map(brief)).toContain('gap RESET');
  await events.return();
});

test('an older copy that has grown beyond the former head is recognized by its newest message', async () => {
  fakeTimers();
  const { room, history, feeds, subscriptions } = subscribeToModel(5);
  const edges = await subscriptions.messages(by(null));
  const ended = expect(take(edges, 100)).rejects.toMatchObject({ reason: 'RESET' });
  await vi.advanceTimersByTimeAsync(1100);
  feeds.publish(room.add());
  room.restore(3);
  // Nothing of it is announced, and the tick finds higher numbers than before.
  for (const _ of numbers(1, 9)) room.add();
  await vi.advanceTimersByTimeAsync(3000);
  await ended;
  expect(history.epoch).toBe(NEW_EPOCH);
});

test('an event of another epoch triggers a tick at once', async () => {
  fakeTimers();
  const { room, feeds, subscriptions } = subscribeToModel(3);
  const edges = await subscriptions.messages(by(null));
  const ended = expect(edges.next()).rejects.toMatchObject({ reason: 'RESET' });
  room.epoch = 'ffffffffffffffff';
  feeds.publish(room.add());
  await vi.advanceTimersByTimeAsync(10);
  await ended;
});

test('a client that reconnects to an instance with the old epoch is notified of the new one', async () => {
  const { room, feeds, history, subscriptions } = subscribeToModel(10);
  // An older copy that has gone on: message 8 and later ones differ from the former ones.
  room.restore(7);
  for (const _ of numbers(1, 5)) room.add({ text: 'another' });
  room.epoch = NEW_EPOCH;
  // There was no tick since: the first feed that opens detects the new epoch.
  const events = await subscriptions.events(by(cursor(10, 10)));
  expect(history.epoch).toBe(NEW_EPOCH);
  expect(await takeBriefs(events, 2)).toEqual(['gap RESET', 'caught-up']);
  await expect(subscriptions.messages(by(cursor(10)))).rejects.toMatchObject({ reason: 'RESET' });
  feeds.publish(room.add());
  expect(await takeBriefs(events, 1)).toEqual(['added 13']);
  await events.return();
});

test('resets a feed that opens while a tick detects a new epoch', async () => {
  fakeTimers();
  const { room, history, subscriptions } = subscribeToModel(10);
  let release = (): void => {};
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  const { readRecent } = room.changes;
  room.changes.readRecent = async (since) => {
    room.changes.readRecent = readRecent;
    // This tick reads the new epoch; a feed that opens during it reads another snapshot without the epoch.
    const found = { ...(await readRecent(since)), epoch: NEW_EPOCH };
    await released;
    return found;
  };
  await vi.advanceTimersByTimeAsync(1000);
  const events = await soon(subscriptions.events(by(cursor(8, 8))));
  expect(await takeBriefs(events, 3)).toEqual(['added 9', 'added 10', 'caught-up']);
  room.epoch = NEW_EPOCH;
  release();
  expect(await takeBriefs(events, 2)).toEqual(['gap RESET', 'caught-up']);
  expect(history.epoch).toBe(NEW_EPOCH);
  await events.return();
});

test('a tick that finds the database on another server renews the epoch', async () => {
  fakeTimers();
  const { room, history, subscriptions } = subscribeToModel(3);
  const edges = await subscriptions.messages(by(null));
  const ended = expect(edges.next()).rejects.toMatchObject({ reason: 'RESET' });
  room.isMoved = true;
  await vi.advanceTimersByTimeAsync(2100);
  await ended;
  expect(history.epoch).toBe(NEW_EPOCH);
});

test('an event of the old epoch never has a cursor of the new one', async () => {
  fakeTimers();
  const { room, history, subscriptions } = subscribeToModel(50);
  const edges = await subscriptions.messages(by(cursor(0)));
  const cursors = (await take(edges, 5)).map((edge) => edge.cursor);
  // A slow client is in the middle of a page when the restore is detected.
  room.epoch = NEW_EPOCH;
  await vi.advanceTimersByTimeAsync(1100);
  expect(history.epoch).toBe(NEW_EPOCH);
  await expect(edges.next()).rejects.toMatchObject({ reason: 'RESET' });
  for (const text of cursors)
    expect(historyGapAfter(decodeMessageCursor(text, roomId, 'after'), history.epoch, room.head)).toBe(
      'RESET',
    );
});

test('a replay ends with a gap if the database is restored during it', async () => {
  const { room, subscriptions } = subscribeToModel(250);
  const edges = await subscriptions.messages(by(cursor(0)));
  await take(edges, 100);
  room.restore(90);
  await expect(edges.next()).rejects.toMatchObject({ reason: 'RESET' });
});

test('a flood of events from another deployment causes at most one extra query per tick interval', async () => {
  fakeTimers();
  const { room, feeds } = subscribeToModel(5);
  let queries = 0;
  const { readHeads } = room.store;
  room.store.readHeads = (known) => {
    queries += 1;
    return readHeads(known);
  };
  const attachment = await feeds.attach(roomId);
  const foreign = { ...room.add(), epoch: '1234123412341234' };
  for (const _ of numbers(1, 500)) {
    feeds.publish(foreign);
    await vi.advanceTimersByTimeAsync(4);
  }
  // Two seconds: two ticks, and up to two extra ones.
  expect(queries).toBeLessThanOrEqual(5);
  attachment?.release();
});

test('detects a database with the same `rev` and another `seq`, without endless reads until then', async () => {
  fakeTimers();
  const { room, history, subscriptions } = subscribeToModel(10);
  room.edit(1);
  room.edit(2);
  const watching = await subscriptions.events(by(null));
  room.restore(0);
  for (const _ of numbers(1, 12)) room.add({ text: 'another' });
  const before = room.reads;
  const events = await soon(subscriptions.events(by(cursor(5, 5))));
  const taken = take(events, 9);
  await vi.advanceTimersByTimeAsync(900);
  expect(room.reads - before).toBeLessThan(10);
  await vi.advanceTimersByTimeAsync(2000);
  expect(history.epoch).toBe(NEW_EPOCH);
  expect((await taken).map(brief)).toContain('gap RESET');
  await Promise.all([events.return(), watching.return()]);
});

test('a reader between a feed and an older copy of the database causes no endless reads until the reset', async () => {
  fakeTimers();
  const { room, history, subscriptions } = subscribeToModel(10);
  const watching = await subscriptions.messages(by(null));
  room.restore(5);
  const before = room.reads;
  // The database ends at this cursor, and the feed holds no step after it.
  const edges = await soon(subscriptions.messages(by(cursor(5))));
  const ended = expect(edges.next()).rejects.toMatchObject({ reason: 'RESET' });
  // Reads take time, since endless reads without timers would never let a fake timer fire.
  room.hold = () => new Promise((resolve) => setTimeout(resolve, 1));
  await vi.advanceTimersByTimeAsync(900);
  expect(room.reads - before).toBeLessThan(10);
  await vi.advanceTimersByTimeAsync(2000);
  await ended;
  expect(history.epoch).toBe(NEW_EPOCH);
  await watching.return();
});

test('the cursors of an event and of its edge have the same epoch', async () => {
  const { room, feeds, history, subscriptions } = subscribeToModel(3);
  const events = await subscriptions.events(by(null));
  await take(events, 1);
  const next = events.next();
  feeds.publish(room.add());
  // The epoch changes while the event is on its way.
  history.epoch = NEW_EPOCH;
  const { value } = await next;
  if (value?.kind !== 'added') throw new Error('No message was delivered.');
  for (const text of [value.cursor, value.edge.cursor])
    expect(decodeMessageCursor(text, roomId, 'after').epoch).toBe(epoch);
  await events.return();
});
