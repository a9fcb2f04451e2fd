import { expect, test } from 'vitest';
import { InvalidDataError, ServiceUnavailableError } from '../../src/domain/errors.js';
import type { RoomChanged } from '../../src/domain/events.js';
import type { Message, MessageDraft } from '../../src/domain/message.js';
import type { MessageStore, SendOutcome } from '../../src/domain/ports.js';
import { createSendQueue } from '../../src/domain/send-queue.js';

const draft = (text: string): MessageDraft => ({
  id: `id of ${text}`,
  authorId: 'author',
  text,
  clientMessageId: null,
});

interface Call {
  readonly roomId: string;
  readonly texts: readonly string[];
  /** Lets the call store its drafts, or fail. */
  finish(error?: Error): void;
}

/** A database whose calls the test ends by hand: it refuses a batch that holds the text `poison`. */
function setUp() {
  const calls: Call[] = [];
  const arrivals: (() => void)[] = [];
  const delivered: string[] = [];
  let seq = 0;
  const send: MessageStore['send'] = (roomId, drafts) =>
    new Promise((resolve, reject) => {
      const store = (): void => {
        const messages = drafts.map(({ id, authorId, text }): Message => {
          seq += 1;
          return {
            id,
            roomId,
            seq,
            rev: seq,
            type: 'TEXT',
            authorId,
            subjectId: null,
            text,
            revision: 1,
            clientMessageId: null,
            createdAt: new Date(),
            changedAt: null,
          };
        });
        resolve({
          outcomes: messages.map((message): SendOutcome => ({ kind: 'sent', message })),
          change: { roomId, epoch: 'e', head: { seq, rev: seq }, messages },
        });
      };
      const finish = (error?: Error): void => {
        if (error) reject(error);
        else if (drafts.some(({ text }) => text === 'poison')) reject(new InvalidDataError());
        else store();
      };
      calls.push({ roomId, texts: drafts.map(({ text }) => text), finish });
      arrivals.shift()?.();
    });
  const deliver = (change: RoomChanged) => void delivered.push(...change.messages.map(({ text }) => text));
  // The queue uses no other method of the store.
  const queue = createSendQueue({ send } as MessageStore, deliver);

  return {
    calls,
    delivered,
    /** Sends and tells what became of it: the seq, or the error's name. */
    send: (text: string, roomId = 'room') =>
      queue.send(roomId, draft(text)).then(
        (outcome) => ('message' in outcome ? outcome.message.seq : outcome.kind),
        (error: Error) => error.constructor.name,
      ),
    /** The call of this number, as soon as it is made. */
    async call(number: number): Promise<Call> {
      for (;;) {
        const found = calls[number];
        if (found) return found;
        await new Promise<void>((resolve) => arrivals.push(resolve));
      }
    },
  };
}

test('the first send waits for nothing; what comes while it is under way is the next call, in order', async () => {
  const { send, call, calls, delivered } = setUp();
  const sent = ['a', 'b', 'c'].map((text) => send(text));
  expect(calls.map(({ texts }) => texts)).toEqual([['a']]);
  (await call(0)).finish();
  const second = await call(1);
  expect(second.texts).toEqual(['b', 'c']);
  sent.push(send('d'));
  second.finish();
  (await call(2)).finish();
  expect(await Promise.all(sent)).toEqual([1, 2, 3, 4]);
  expect(delivered).toEqual(['a', 'b', 'c', 'd']);
  expect(calls).toHaveLength(3);
});

test('rooms do not wait for each other', async () => {
  const { send, calls } = setUp();
  void send('a', 'one');
  void send('b', 'other');
  expect(calls.map(({ roomId }) => roomId)).toEqual(['one', 'other']);
});

test('no call is larger than a hundred messages', async () => {
  const { send, call } = setUp();
  const sent = Array.from({ length: 151 }, (_, index) => send(`${index}`));
  for (const [number, size] of [1, 100, 50].entries()) {
    const { texts, finish } = await call(number);
    expect(texts).toHaveLength(size);
    finish();
  }
  expect(await Promise.all(sent)).toEqual(Array.from({ length: 151 }, (_, index) => index + 1));
});

test('a message that the database refuses harms no other, and the others keep their order', async () => {
  const { send, call, delivered } = setUp();
  const sent = ['a', 'b', 'poison', 'c'].map((text) => send(text));
  // The batch as a whole, and then each alone.
  for (const number of [0, 1, 2, 3, 4]) (await call(number)).finish();
  expect(await Promise.all(sent)).toEqual([1, 2, 'InvalidDataError', 3]);
  expect(delivered).toEqual(['a', 'b', 'c']);
});

test('any other error is that of all who wait in the call, which is not made again, and of nobody else', async () => {
  const { send, call, calls, delivered } = setUp();
  const sent = ['a', 'b', 'c'].map((text) => send(text));
  (await call(0)).finish();
  const second = await call(1);
  sent.push(send('d'));
  second.finish(new ServiceUnavailableError());
  (await call(2)).finish();
  expect(await Promise.all(sent)).toEqual([1, 'ServiceUnavailableError', 'ServiceUnavailableError', 2]);
  expect(calls.map(({ texts }) => texts)).toEqual([['a'], ['b', 'c'], ['d']]);
  expect(delivered).toEqual(['a', 'd']);
});

test('a message is delivered before its sender is told', async () => {
  const { send, call, delivered } = setUp();
  const told = send('a').then(() => [...delivered]);
  (await call(0)).finish();
  expect(await told).toEqual(['a']);
});
