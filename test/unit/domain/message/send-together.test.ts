import { expect, test, vi } from 'vitest';
import { InvalidDataError, ServiceUnavailableError } from '../../../../src/domain/errors.js';
import type { MessageDraft } from '../../../../src/domain/message/message.js';
import { createSendTogether } from '../../../../src/domain/message/send-together.js';
import type { MessageStore, RoomDrafts, Sent } from '../../../../src/domain/message/store.js';

const drafts = (...texts: string[]): MessageDraft[] =>
  texts.map((text) => ({ id: text, authorId: 'author', text, clientMessageId: null }));
const stored = (given: readonly MessageDraft[]): Sent => ({
  outcomes: given.map(() => ({ kind: 'full' })),
  change: null,
});

/** A store whose calls of one room wait for `release`. */
function setUp(sendToRooms: MessageStore['sendToRooms']) {
  let release = (): void => {};
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  const alone: string[] = [];
  const messages = {
    send: vi.fn(async (roomId: string, given: readonly MessageDraft[]) => {
      alone.push(roomId);
      if (roomId.startsWith('slow')) await released;
      return stored(given);
    }),
    sendToRooms: vi.fn(sendToRooms),
  };
  const send = createSendTogether(messages);
  return { send, messages, alone, release: () => release() };
}

const together: MessageStore['sendToRooms'] = async (rooms) => rooms.map((room) => stored(room.drafts));

/** Lets the calls start that need not wait. */
const started = () => new Promise((resolve) => setImmediate(resolve));

test('a room is sent to alone if no call runs, and together with others after one', async () => {
  const { send, messages, alone, release } = setUp(together);
  const slow = send('slow', drafts('a'));
  await started();
  expect(alone).toEqual(['slow']);
  const others = ['one', 'two', 'three'].map((room) => send(room, drafts('a')));
  await started();
  expect(messages.sendToRooms).not.toHaveBeenCalled();
  release();
  await Promise.all([slow, ...others]);
  expect(messages.sendToRooms.mock.calls.map(([rooms]) => rooms.map(({ roomId }) => roomId))).toEqual([
    ['one', 'two', 'three'],
  ]);
});

test('many drafts do not wait for a call that runs', async () => {
  const { send, messages, release } = setUp(together);
  const slow = send('slow', drafts('a'));
  await started();
  const texts = Array.from({ length: 30 }, (_, index) => `${index}`);
  const others = ['one', 'two'].map((room) => send(room, drafts(...texts)));
  await started();
  expect(messages.sendToRooms).toHaveBeenCalledTimes(1);
  await Promise.all(others);
  release();
  await slow;
});

test('rooms that are locked by somebody else do not keep the others waiting', async () => {
  const { send, release } = setUp(together);
  const slow = [];
  for (const room of ['slow 1', 'slow 2', 'slow 3', 'slow 4']) {
    slow.push(send(room, drafts('a')));
    await started();
  }
  await Promise.all(['one', 'two'].map((room) => send(room, drafts('a'))));
  release();
  await Promise.all(slow);
});

test('a room that is busy is sent to alone', async () => {
  const { send, messages, alone } = setUp(async (rooms) =>
    rooms.map(({ roomId, drafts: given }) => (roomId === 'busy' ? 'busy' : stored(given))),
  );
  const results = await Promise.all(['free', 'busy', 'other'].map((room) => send(room, drafts('a', 'b'))));
  for (const { outcomes } of results) expect(outcomes).toHaveLength(2);
  expect(alone).toEqual(['busy']);
  expect(messages.sendToRooms).toHaveBeenCalledTimes(1);
});

test('a call that the database rejects fails only the room with the wrong draft', async () => {
  const { send, messages } = setUp(async () => {
    throw new InvalidDataError();
  });
  messages.send.mockImplementation(async (roomId, given) => {
    if (roomId === 'wrong') throw new InvalidDataError();
    return stored(given);
  });
  const results = await Promise.allSettled(
    ['right', 'wrong', 'other'].map((room) => send(room, drafts('a'))),
  );
  expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
});

test('if the database is unavailable, no room is tried again', async () => {
  const { send, alone } = setUp(async () => {
    throw new ServiceUnavailableError();
  });
  const results = await Promise.allSettled(['one', 'two'].map((room) => send(room, drafts('a'))));
  expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  expect(alone).toEqual([]);
});

test('a call has at most 100 drafts', async () => {
  const calls: (readonly RoomDrafts[])[] = [];
  const { send } = setUp(async (rooms) => {
    calls.push(rooms);
    return together(rooms);
  });
  const texts = Array.from({ length: 40 }, (_, index) => `text ${index}`);
  await Promise.all(Array.from({ length: 6 }, (_, room) => send(`room ${room}`, drafts(...texts))));
  expect(calls.map((rooms) => rooms.length)).toEqual([2, 2, 2]);
});
