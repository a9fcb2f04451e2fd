import { expect, test } from 'vitest';
import {
  InvalidDataError,
  ServiceUnavailableError,
  UnauthenticatedError,
} from '../../../../src/domain/errors.js';
import type { RoomChanged } from '../../../../src/domain/events.js';
import type { Message, MessageDraft } from '../../../../src/domain/message/message.js';
import { createSendQueue, type SendQueueLimits } from '../../../../src/domain/message/send-queue.js';
import type { MessageStore, SendOutcome } from '../../../../src/domain/message/store.js';
import type { Log } from '../../../../src/domain/ports.js';

const draft = (text: string, authorId: string): MessageDraft => ({
  id: `id of ${text}`,
  authorId,
  text,
  clientMessageId: null,
});

interface Call {
  readonly roomId: string;
  readonly texts: readonly string[];
  /** Completes the call: stores its drafts, or fails. */
  finish(error?: Error): void;
}

/** A queue over a store whose calls the test completes. The store rejects a batch that contains the text `poison`. */
function setUp({ limits, failPublish = false }: { limits?: SendQueueLimits; failPublish?: boolean } = {}) {
  const calls: Call[] = [];
  const arrivals: (() => void)[] = [];
  const published: string[] = [];
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
  const publish = (change: RoomChanged): void => {
    if (failPublish) throw new InvalidDataError('of the publisher');
    published.push(...change.messages.map(({ text }) => text));
  };
  const ignore = () => {};
  const log: Log = {
    debug: ignore,
    info: ignore,
    warn: ignore,
    error: (_, message) => void logged.push(message),
  };
  // The queue uses no other method of the store.
  const queue = createSendQueue(send, publish, log, limits);

  return {
    calls,
    published,
    logged,
    /** Sends a draft; resolves to its seq, or to the name of the error. */
    send: (text: string, roomId = 'room', authorId = 'author') =>
      queue.send(roomId, draft(text, authorId)).then(
        (outcome) => ('message' in outcome ? outcome.message.seq : outcome.kind),
        (error: Error) => error.constructor.name,
      ),
    /** Resolves to the call with this number, as soon as it is made. */
    async call(number: number): Promise<Call> {
      for (;;) {
        const found = calls[number];
        if (found) return found;
        await new Promise<void>((resolve) => arrivals.push(resolve));
      }
    },
  };
}

test('sends the first draft at once, and what arrives during its call as the next call, in order', async () => {
  const { send, call, calls, published } = setUp();
  const sent = ['a', 'b', 'c'].map((text) => send(text));
  expect(calls.map(({ texts }) => texts)).toEqual([['a']]);
  (await call(0)).finish();
  const second = await call(1);
  expect(second.texts).toEqual(['b', 'c']);
  sent.push(send('d'));
  second.finish();
  (await call(2)).finish();
  expect(await Promise.all(sent)).toEqual([1, 2, 3, 4]);
  expect(published).toEqual(['a', 'b', 'c', 'd']);
  expect(calls).toHaveLength(3);
});

test('does not let rooms wait for each other', async () => {
  const { send, calls } = setUp();
  void send('a', 'one');
  void send('b', 'other');
  expect(calls.map(({ roomId }) => roomId)).toEqual(['one', 'other']);
});

test('sends at most 100 messages per call', async () => {
  const { send, call } = setUp();
  const sent = Array.from({ length: 151 }, (_, index) => send(`${index}`));
  for (const [number, size] of [1, 100, 50].entries()) {
    const { texts, finish } = await call(number);
    expect(texts).toHaveLength(size);
    finish();
  }
  expect(await Promise.all(sent)).toEqual(Array.from({ length: 151 }, (_, index) => index + 1));
});

/** Completes all calls as they are made, until all sends are settled. */
async function finishAll({ call, calls }: ReturnType<typeof setUp>, sent: Promise<unknown>[]) {
  let isDone = false;
  const all = Promise.all(sent).finally(() => {
    isDone = true;
  });
  for (let number = 0; !isDone; number += 1) {
    const next = await Promise.race([call(number), all.then(() => null)]);
    next?.finish();
  }
  return { results: await all, texts: calls.map(({ texts }) => texts) };
}

test('fails only the message that the database rejects, and keeps the others in order', async () => {
  const queue = setUp();
  const sent = ['a', 'b', 'poison', 'c', 'd'].map((text) => queue.send(text));
  const { results, texts } = await finishAll(queue, sent);
  expect(results).toEqual([1, 2, 'InvalidDataError', 3, 4]);
  expect(queue.published).toEqual(['a', 'b', 'c', 'd']);
  expect(texts).toEqual([['a'], ['b', 'poison', 'c', 'd'], ['b', 'poison'], ['b'], ['poison'], ['c', 'd']]);
});

test('sends later messages only after all parts of a rejected batch', async () => {
  const queue = setUp();
  const { send, call } = queue;
  const sent = ['a', 'b', 'poison'].map((text) => send(text));
  (await call(0)).finish();
  const second = await call(1);
  sent.push(send('c'));
  second.finish();
  await finishAll(queue, sent);
  expect(queue.published).toEqual(['a', 'b', 'c']);
});

test('isolates one rejected message among 100 in at most 15 calls', async () => {
  const queue = setUp();
  const texts = ['first', ...Array.from({ length: 99 }, (_, index) => `${index}`), 'poison'];
  const { results } = await finishAll(
    queue,
    texts.map((text) => queue.send(text)),
  );
  expect(results.filter((result) => result === 'InvalidDataError')).toHaveLength(1);
  expect(queue.published).toEqual(texts.slice(0, -1));
  expect(queue.calls.length).toBeLessThanOrEqual(1 + 15);
});

test('rejects only the sender whose draft causes an error', async () => {
  const { send, call, calls, published } = setUp();
  const sent = ['a', 'b', 'c'].map((text) => send(text));
  (await call(0)).finish();
  (await call(1)).finish(new UnauthenticatedError('INVALID'));
  (await call(2)).finish(new UnauthenticatedError('INVALID'));
  (await call(3)).finish();
  expect(await Promise.all(sent)).toEqual([1, 'UnauthenticatedError', 2]);
  expect(calls.map(({ texts }) => texts)).toEqual([['a'], ['b', 'c'], ['b'], ['c']]);
  expect(published).toEqual(['a', 'c']);
});

test('fails all waiting sends of a room at once if the database is unavailable, and tries later ones again', async () => {
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

test('fails all parts of a rejected batch if the database becomes unavailable between them', async () => {
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

test('rejects sends at once above the limits per room and overall, until pending ones are settled', async () => {
  const { send, call, calls } = setUp({ limits: { perRoom: 3, overall: 5 } });
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

  // Failed sends are no longer pending either.
  const failing = ['a', 'b', 'c'].map((text) => send(text, 'one'));
  (await call(5)).finish(new ServiceUnavailableError());
  await Promise.all(failing);
  const again = ['a', 'b', 'c'].map((text) => send(text, 'one'));
  for (const number of [6, 7]) (await call(number)).finish();
  expect(await Promise.all(again)).not.toContain('ServiceUnavailableError');
});

test('logs an error of the publisher, which affects neither the sender nor the waiting sends', async () => {
  const queue = setUp({ failPublish: true });
  const { results, texts } = await finishAll(
    queue,
    ['a', 'b', 'c'].map((text) => queue.send(text)),
  );
  expect(results).toEqual([1, 2, 3]);
  expect(texts).toEqual([['a'], ['b', 'c']]);
  expect(queue.logged).toEqual(Array(2).fill('Could not publish a stored change: the next tick delivers it'));
});

test('publishes a message before its send resolves', async () => {
  const { send, call, published } = setUp();
  const publishedWhenSent = send('a').then(() => [...published]);
  (await call(0)).finish();
  expect(await publishedWhenSent).toEqual(['a']);
});

test('lets authors take turns, and keeps the messages of each in order', async () => {
  const queue = setUp();
  const sent = ['first', 'a1', 'a2', 'a3'].map((text) => queue.send(text, 'room', 'ada'));
  sent.push(...['b1', 'b2'].map((text) => queue.send(text, 'room', 'bob')));
  sent.push(queue.send('c1', 'room', 'cleo'));
  await finishAll(queue, sent);
  expect(queue.published).toEqual(['first', 'a1', 'b1', 'c1', 'a2', 'b2', 'a3']);
});

test('drops the newest message of the author who has the most for one of an author who has fewer', async () => {
  const queue = setUp({ limits: { perRoom: 4, overall: 5 } });
  const ada = ['first', 'a1', 'a2', 'a3'].map((text) => queue.send(text, 'room', 'ada'));
  const bob = queue.send('b1', 'room', 'bob');
  expect(await ada[3]).toBe('ServiceUnavailableError');
  const elsewhere = queue.send('c1', 'other', 'cleo');
  const late = queue.send('d1', 'third', 'dan');
  expect(await ada[2]).toBe('ServiceUnavailableError');
  const { results } = await finishAll(queue, [...ada.slice(0, 2), bob, elsewhere, late]);
  expect(results.every((result) => typeof result === 'number')).toBe(true);
});
