import { expect, onTestFinished, test, vi } from 'vitest';
import { decodeMessageCursor, encodeMessageCursor, historyGapAfter } from '../../../src/domain/cursor.js';
import { MODEL_EPOCH, MODEL_ROOM_ID, numbers } from '../../helpers/model-room.js';
import {
  brief,
  cursor,
  NEW_EPOCH,
  subscribeToModel,
  take,
  takeBriefs,
  takeSeqs,
  VIEWER,
} from '../../helpers/model-subscriptions.js';

/** A database that holds another history than readers have seen: restored from a backup, promoted, copied. */

const roomId = MODEL_ROOM_ID;
const epoch = MODEL_EPOCH;

/** The ticks pass without anybody waiting. */
function fakeTimers(): void {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
}

test('a cursor that the history does not reach: `messages` ends, `events` tells of the gap and goes on', async () => {
  const { room, feeds, subscriptions } = subscribeToModel(3);
  room.edit(1);
  const gaps = [
    encodeMessageCursor({ roomId, epoch: '1111111111111111', seq: 1, rev: 1 }),
    cursor(4, 4),
    cursor(3, 5),
  ];
  for (const after of gaps) {
    await expect(subscriptions.messages(VIEWER, roomId, after)).rejects.toMatchObject({ reason: 'RESET' });
    const events = await subscriptions.events(VIEWER, roomId, after);
    const taken = await take(events, 2);
    expect(taken.map(brief)).toEqual(['gap RESET', 'caught-up']);
    expect(taken[0]?.cursor).toBe(cursor(3, 4));
    await events.return();
  }
  const events = await subscriptions.events(VIEWER, roomId, gaps[0] ?? '');
  await take(events, 2);
  feeds.publish(room.add());
  expect(await takeBriefs(events, 1)).toEqual(['added 4']);
});

test.each([
  ['an older copy with fewer messages', 3, 0],
  ['an older copy that has grown past what was seen before anybody looked', 3, 9],
])('a restored database, %s, is told to everybody', async (_, kept, sentAfter) => {
  const { room, feeds, subscriptions, send } = subscribeToModel(5);
  const edges = await subscriptions.messages(VIEWER, roomId, null);
  const events = await subscriptions.events(VIEWER, roomId, null);
  expect(await takeBriefs(events, 1)).toEqual(['caught-up']);
  send();
  expect(await takeBriefs(events, 1)).toEqual(['added 6']);
  expect(await takeSeqs(edges, 1)).toEqual([6]);

  room.restore(kept);
  for (const n of numbers(1, sentAfter)) {
    const change = room.add();
    feeds.publish({ ...change, messages: change.messages.map((each) => ({ ...each, id: `after ${n}` })) });
  }
  await expect(edges.next()).rejects.toMatchObject({ reason: 'RESET' });
  const [gap, caughtUp] = await take(events, 2);
  expect(gap).toMatchObject({ kind: 'gap', reason: 'RESET' });
  expect(caughtUp?.kind).toBe('caught-up');
  expect(room.epoch).not.toBe(epoch);
  feeds.publish(room.add());
  expect(await takeBriefs(events, 1)).toEqual([`added ${kept + sentAfter + 1}`]);
});

test('a reader who lags when an older copy of the database is put in its place is told, not sent back in silence', async () => {
  fakeTimers();
  const { room, subscriptions } = subscribeToModel(150);
  const edges = await subscriptions.messages(VIEWER, roomId, cursor(0));
  const events = await subscriptions.events(VIEWER, roomId, cursor(0, 0));
  await Promise.all([take(edges, 150), take(events, 150)]);
  // Further than the ring holds, so the database is asked.
  for (let count = 0; count < 1500; count += 1) room.add();
  await vi.advanceTimersByTimeAsync(1100);
  room.restore(100);
  await expect(edges.next()).rejects.toMatchObject({ reason: 'RESET' });
  const rest = take(events, 2);
  await vi.advanceTimersByTimeAsync(3000);
  expect((await rest).map(brief)).toContain('gap RESET');
  await events.return();
});

test('an event of another history has this one looked at, at once', async () => {
  fakeTimers();
  const { room, feeds, subscriptions } = subscribeToModel(3);
  const edges = await subscriptions.messages(VIEWER, roomId, null);
  const ended = expect(edges.next()).rejects.toMatchObject({ reason: 'RESET' });
  room.epoch = 'ffffffffffffffff';
  feeds.publish(room.add());
  await vi.advanceTimersByTimeAsync(10);
  await ended;
});

test('whoever comes back while an instance still knows the old history is told of the new one', async () => {
  const { room, feeds, history, subscriptions } = subscribeToModel(10);
  // An older copy that has gone on: message 8 and those after it are others than before.
  room.restore(7);
  for (const _ of numbers(1, 5)) room.add({ text: 'another' });
  room.epoch = NEW_EPOCH;
  // Nobody has looked yet; the first feed that opens does.
  const events = await subscriptions.events(VIEWER, roomId, cursor(10, 10));
  expect(history.epoch).toBe(NEW_EPOCH);
  expect(await takeBriefs(events, 2)).toEqual(['gap RESET', 'caught-up']);
  await expect(subscriptions.messages(VIEWER, roomId, cursor(10))).rejects.toMatchObject({ reason: 'RESET' });
  feeds.publish(room.add());
  expect(await takeBriefs(events, 1)).toEqual(['added 13']);
  await events.return();
});

test('a feed that opens while a tick learns of the new history is reset with the others', async () => {
  fakeTimers();
  const { room, history, subscriptions } = subscribeToModel(10);
  let answer = (): void => {};
  const answered = new Promise<void>((resolve) => {
    answer = resolve;
  });
  const { readHeads } = room.store;
  room.store.readHeads = async (known) => {
    room.store.readHeads = readHeads;
    // Seen by this tick, and not yet by a feed that opens meanwhile from another snapshot.
    const found = { ...(await readHeads(known)), epoch: NEW_EPOCH };
    await answered;
    return found;
  };
  await vi.advanceTimersByTimeAsync(1000);
  const events = await subscriptions.events(VIEWER, roomId, cursor(8, 8));
  expect(await takeBriefs(events, 3)).toEqual(['added 9', 'added 10', 'caught-up']);
  room.epoch = NEW_EPOCH;
  answer();
  expect(await takeBriefs(events, 2)).toEqual(['gap RESET', 'caught-up']);
  expect(history.epoch).toBe(NEW_EPOCH);
  await events.return();
});

test('a database that stands on another server is given a new epoch by the tick that sees it', async () => {
  fakeTimers();
  const { room, history, subscriptions } = subscribeToModel(3);
  const edges = await subscriptions.messages(VIEWER, roomId, null);
  const ended = expect(edges.next()).rejects.toMatchObject({ reason: 'RESET' });
  room.isMoved = true;
  await vi.advanceTimersByTimeAsync(2100);
  await ended;
  expect(history.epoch).toBe(NEW_EPOCH);
});

test('an event of the old history never carries a cursor of the new one', async () => {
  fakeTimers();
  const { room, history, subscriptions } = subscribeToModel(50);
  const edges = await subscriptions.messages(VIEWER, roomId, cursor(0));
  const given = (await take(edges, 5)).map((edge) => edge.cursor);
  // A slow client is in the middle of a page when the database turns out to be restored.
  room.epoch = NEW_EPOCH;
  await vi.advanceTimersByTimeAsync(1100);
  expect(history.epoch).toBe(NEW_EPOCH);
  await expect(edges.next()).rejects.toMatchObject({ reason: 'RESET' });
  for (const text of given)
    expect(historyGapAfter(decodeMessageCursor(text, roomId, 'after'), history.epoch, room.head)).toBe(
      'RESET',
    );
});

test('a replay whose history is restored under it tells of that', async () => {
  const { room, subscriptions } = subscribeToModel(250);
  const edges = await subscriptions.messages(VIEWER, roomId, cursor(0));
  await take(edges, 100);
  room.restore(90);
  await expect(edges.next()).rejects.toMatchObject({ reason: 'RESET' });
});

test('a flood from another deployment has the database asked no more often than the tick does', async () => {
  fakeTimers();
  const { room, feeds } = subscribeToModel(5);
  let asked = 0;
  const { readHeads } = room.store;
  room.store.readHeads = (known) => {
    asked += 1;
    return readHeads(known);
  };
  const attachment = await feeds.attach(roomId);
  const foreign = { ...room.add(), epoch: '1234123412341234' };
  for (const _ of numbers(1, 500)) {
    feeds.publish(foreign);
    await vi.advanceTimersByTimeAsync(4);
  }
  // Two seconds: two ticks, and as many looks.
  expect(asked).toBeLessThanOrEqual(5);
  attachment?.release();
});

test('a database with the same `rev` and another `seq` is another history, and costs no endless reads until that is told', async () => {
  fakeTimers();
  const { room, history, subscriptions } = subscribeToModel(10);
  room.edit(1);
  room.edit(2);
  const watching = await subscriptions.events(VIEWER, roomId, null);
  room.restore(0);
  for (const _ of numbers(1, 12)) room.add({ text: 'another' });
  const before = room.reads;
  const events = await subscriptions.events(VIEWER, roomId, cursor(5, 5));
  const taken = take(events, 9);
  await vi.advanceTimersByTimeAsync(900);
  expect(room.reads - before).toBeLessThan(10);
  await vi.advanceTimersByTimeAsync(2000);
  expect(history.epoch).toBe(NEW_EPOCH);
  expect((await taken).map(brief)).toContain('gap RESET');
  await Promise.all([events.return(), watching.return()]);
});

test('a reader of added messages whom a feed and an older copy contradict costs no endless reads until that is told', async () => {
  fakeTimers();
  const { room, history, subscriptions } = subscribeToModel(10);
  const watching = await subscriptions.messages(VIEWER, roomId, null);
  room.restore(5);
  const before = room.reads;
  // The database ends here, and the feed holds nothing that leads on from here.
  const edges = await subscriptions.messages(VIEWER, roomId, cursor(5));
  const ended = expect(edges.next()).rejects.toMatchObject({ reason: 'RESET' });
  // Were they endless, no timer would ever come.
  room.hold = () => new Promise((resolve) => setTimeout(resolve, 1));
  await vi.advanceTimersByTimeAsync(900);
  expect(room.reads - before).toBeLessThan(10);
  await vi.advanceTimersByTimeAsync(2000);
  await ended;
  expect(history.epoch).toBe(NEW_EPOCH);
  await watching.return();
});

test("the cursors of an added message's event and of its edge are of one history", async () => {
  const { room, feeds, history, subscriptions } = subscribeToModel(3);
  const events = await subscriptions.events(VIEWER, roomId, null);
  await take(events, 1);
  const next = events.next();
  feeds.publish(room.add());
  // Learned while the event is on its way.
  history.epoch = NEW_EPOCH;
  const { value } = await next;
  if (value?.kind !== 'added') throw new Error('No message was told.');
  for (const text of [value.cursor, value.edge.cursor])
    expect(decodeMessageCursor(text, roomId, 'after').epoch).toBe(epoch);
  await events.return();
});
