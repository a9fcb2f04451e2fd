import { expect, test } from 'vitest';
import {
  InvalidDataError,
  ServiceUnavailableError,
  UnauthenticatedError,
} from '../../../src/domain/errors.js';
import type { RoomChanged } from '../../../src/domain/events.js';
import type { Message, MessageDraft } from '../../../src/domain/message.js';
import type { MessageStore, SendOutcome } from '../../../src/domain/message-store.js';
import type { Log } from '../../../src/domain/ports.js';
import { createSendQueue, type SendBounds } from '../../../src/domain/send-queue.js';

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
function setUp({ bounds, failDelivery = false }: { bounds?: SendBounds; failDelivery?: boolean } = {}) {
  const calls: Call[] = [];
  const arrivals: (() => void)[] = [];
  const delivered: string[] = [];
  const logged: string[] = [];
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
  const deliver = (change: RoomChanged): void => {
    if (failDelivery) throw new InvalidDataError('of the delivery');
    delivered.push(...change.messages.map(({ text }) => text));
  };
  const quiet = () => {};
  const log: Log = {
    debug: quiet,
    info: quiet,
    warn: quiet,
    error: (_, message) => void logged.push(message),
  };
  // The queue uses no other method of the store.
  const queue = createSendQueue({ send } as MessageStore, deliver, log, bounds);

  return {
    calls,
    delivered,
    logged,
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

test('no call of the store has more than a hundred messages', async () => {
  const { send, call } = setUp();
  const sent = Array.from({ length: 151 }, (_, index) => send(`${index}`));
  for (const [number, size] of [1, 100, 50].entries()) {
    const { texts, finish } = await call(number);
    expect(texts).toHaveLength(size);
    finish();
  }
  expect(await Promise.all(sent)).toEqual(Array.from({ length: 151 }, (_, index) => index + 1));
});

/** Ends all calls as they come, until nothing is sent any more, and tells what they held. */
async function finishAll({ call, calls }: ReturnType<typeof setUp>, sent: Promise<unknown>[]) {
  let over = false;
  const all = Promise.all(sent).finally(() => {
    over = true;
  });
  for (let number = 0; !over; number += 1) {
    const next = await Promise.race([call(number), all.then(() => null)]);
    next?.finish();
  }
  return { results: await all, texts: calls.map(({ texts }) => texts) };
}

test('a message that the database refuses harms no other, and the others keep their order', async () => {
  const queue = setUp();
  const sent = ['a', 'b', 'poison', 'c', 'd'].map((text) => queue.send(text));
  const { results, texts } = await finishAll(queue, sent);
  expect(results).toEqual([1, 2, 'InvalidDataError', 3, 4]);
  expect(queue.delivered).toEqual(['a', 'b', 'c', 'd']);
  expect(texts).toEqual([['a'], ['b', 'poison', 'c', 'd'], ['b', 'poison'], ['b'], ['poison'], ['c', 'd']]);
});

test('what came later waits until a refused batch is stored by parts, in their order', async () => {
  const queue = setUp();
  const { send, call } = queue;
  const sent = ['a', 'b', 'poison'].map((text) => send(text));
  (await call(0)).finish();
  const second = await call(1);
  sent.push(send('c'));
  second.finish();
  await finishAll(queue, sent);
  expect(queue.delivered).toEqual(['a', 'b', 'c']);
});

test('one poisoned message among a hundred costs the others fifteen calls, not a hundred', async () => {
  const queue = setUp();
  const texts = ['first', ...Array.from({ length: 99 }, (_, index) => `${index}`), 'poison'];
  const { results } = await finishAll(
    queue,
    texts.map((text) => queue.send(text)),
  );
  expect(results.filter((result) => result === 'InvalidDataError')).toHaveLength(1);
  expect(queue.delivered).toEqual(texts.slice(0, -1));
  expect(queue.calls.length).toBeLessThanOrEqual(1 + 15);
});

test('any other error is that of whose draft it is, and of nobody else', async () => {
  const { send, call, calls, delivered } = setUp();
  const sent = ['a', 'b', 'c'].map((text) => send(text));
  (await call(0)).finish();
  (await call(1)).finish(new UnauthenticatedError('INVALID'));
  (await call(2)).finish(new UnauthenticatedError('INVALID'));
  (await call(3)).finish();
  expect(await Promise.all(sent)).toEqual([1, 'UnauthenticatedError', 2]);
  expect(calls.map(({ texts }) => texts)).toEqual([['a'], ['b', 'c'], ['b'], ['c']]);
  expect(delivered).toEqual(['a', 'c']);
});

test('where the database is away all who wait for the room are told at once; who comes then is tried anew', async () => {
  const { send, call, calls } = setUp();
  const sent = ['a', ...Array.from({ length: 150 }, (_, index) => `${index}`)].map((text) => send(text));
  const elsewhere = send('z', 'other');
  (await call(0)).finish(new ServiceUnavailableError());
  expect(new Set(await Promise.all(sent))).toEqual(new Set(['ServiceUnavailableError']));
  expect(calls.map(({ texts }) => texts)).toEqual([['a'], ['z']]);
  const again = send('b');
  (await call(2)).finish();
  (await call(1)).finish();
  expect(await Promise.all([again, elsewhere])).toEqual([1, 2]);
});

test('where the database goes away while a refused batch is stored by parts, all parts are told', async () => {
  const { send, call, calls } = setUp();
  const sent = ['a', 'b', 'poison', 'c', 'd'].map((text) => send(text));
  (await call(0)).finish();
  (await call(1)).finish();
  const part = await call(2);
  sent.push(send('e'));
  part.finish(new ServiceUnavailableError());
  expect(await Promise.all(sent)).toEqual([1, ...Array(5).fill('ServiceUnavailableError')]);
  expect(calls).toHaveLength(3);
});

test('a room and the instance have room for so many messages; one more is refused at once, until some are stored', async () => {
  const { send, call, calls } = setUp({ bounds: { perRoom: 3, overall: 5 } });
  const one = ['a', 'b', 'c'].map((text) => send(text, 'one'));
  expect(await send('d', 'one')).toBe('ServiceUnavailableError');
  const two = ['a', 'b'].map((text) => send(text, 'two'));
  expect(await send('a', 'three')).toBe('ServiceUnavailableError');
  expect(await send('c', 'two')).toBe('ServiceUnavailableError');
  expect(calls).toHaveLength(2);

  (await call(0)).finish();
  await one[0];
  const three = send('a', 'three');
  for (const number of [1, 2, 3, 4]) (await call(number)).finish();
  await Promise.all([...one, ...two, three]);

  // What failed makes room, too.
  const failing = ['a', 'b', 'c'].map((text) => send(text, 'one'));
  (await call(5)).finish(new ServiceUnavailableError());
  await Promise.all(failing);
  const again = ['a', 'b', 'c'].map((text) => send(text, 'one'));
  for (const number of [6, 7]) (await call(number)).finish();
  expect(await Promise.all(again)).not.toContain('ServiceUnavailableError');
});

test('a delivery that fails is logged, and neither its sender nor those behind notice', async () => {
  const queue = setUp({ failDelivery: true });
  const { results, texts } = await finishAll(
    queue,
    ['a', 'b', 'c'].map((text) => queue.send(text)),
  );
  expect(results).toEqual([1, 2, 3]);
  expect(texts).toEqual([['a'], ['b', 'c']]);
  expect(queue.logged).toEqual(Array(2).fill('A stored change was not delivered: the next tick finds it'));
});

test('a message is delivered before its sender is told', async () => {
  const { send, call, delivered } = setUp();
  const told = send('a').then(() => [...delivered]);
  (await call(0)).finish();
  expect(await told).toEqual(['a']);
});
