import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { ParleyError, Subscriber } from '../../../packages/client/src/index.js';
import {
  added,
  createFakeClient,
  createSubscriber,
  type Edge,
  MESSAGE_ADDED,
  ROOM_EVENTS,
} from '../../helpers/fake-client.js';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
});

const UNAVAILABLE = { message: 'Try again.', extensions: { code: 'SERVICE_UNAVAILABLE' } };
const GAP = { message: 'Gap.', extensions: { code: 'HISTORY_GAP', reason: 'RESET' } };
const variables = { roomId: 'R', after: 'c0' };

type Messages = { messageAdded: Edge };

/** A running `messageAdded` on an open connection. */
async function subscribed(options: Partial<Subscriber<Messages>> = {}, from: object = variables) {
  const fake = createFakeClient();
  const subscriber = createSubscriber<Messages>();
  const stop = fake.client.subscribe(
    MESSAGE_ADDED,
    { roomId: 'R', ...from },
    {
      next: (data) => subscriber.next(data),
      error: (error) => subscriber.error(error),
      complete: () => subscriber.complete(),
      ...options,
    },
  );
  await fake.pass();
  fake.network.socket.accept();
  await fake.pass();
  return {
    ...fake,
    stop,
    subscriber,
    seqs: () => subscriber.items.map(({ messageAdded }) => messageAdded.node.seq),
    deliver: (...seqs: number[]) => {
      for (const seq of seqs) fake.network.socket.answer('messageAdded', 'next', added(seq));
    },
    /** The `after` of each time that the subscription was sent on the latest socket. */
    after: () =>
      fake.network.socket.subscribed.map(({ payload }) => Reflect.get(payload?.variables ?? {}, 'after')),
    reconnect: async (code = 1006) => {
      fake.network.socket.drop(code);
      await fake.pass(10_000);
      fake.network.socket.accept();
      await fake.pass();
    },
  };
}

test('should continue after the last cursor, without changing the variables of the app', async () => {
  const own = Object.freeze({ ...variables });
  const { after, deliver, reconnect, seqs } = await subscribed({}, own);
  deliver(1, 2);
  await reconnect();
  expect(after()).toEqual(['c2']);
  await reconnect();
  expect(after()).toEqual(['c2']);
  deliver(3);
  await reconnect(1012);

  expect(after()).toEqual(['c3']);
  expect(seqs()).toEqual([1, 2, 3]);
});

test('should drop what it has delivered', async () => {
  const { after, deliver, reconnect, seqs } = await subscribed();
  deliver(1, 2, 2, 3);
  await reconnect();
  deliver(2, 3, 4);

  expect(seqs()).toEqual([1, 2, 3, 4]);
  await reconnect();
  expect(after()).toEqual(['c4']);
});

test('should fetch the end of the history first if there is no cursor, so that a cut does not move the start', async () => {
  const { network, pass, after, deliver, reconnect, seqs } = await subscribed({}, { after: null });
  expect(network.socket.subscribed).toMatchObject([
    { payload: { query: expect.stringContaining('liveCursor'), variables: { roomId: 'R' } } },
  ]);
  network.socket.answer('liveCursor', 'next', { data: { roomMessages: { liveCursor: 'c7' } } });
  network.socket.answer('liveCursor', 'complete');
  await pass();
  await reconnect();

  expect(after()).toEqual(['c7']);
  deliver(8);
  expect(seqs()).toEqual([8]);
});

test('should report the errors of the room before it subscribes', async () => {
  const { network, pass, subscriber } = await subscribed({}, {});
  network.socket.answer('liveCursor', 'next', {
    data: { roomMessages: null },
    errors: [{ message: 'No.', extensions: { code: 'FORBIDDEN' } }],
  });
  await pass();

  expect(subscriber.errors).toEqual(['FORBIDDEN']);
});

test('should leave it to the subscription to say that there is no such room', async () => {
  const { network, pass, subscriber } = await subscribed({}, {});
  network.socket.answer('liveCursor', 'next', { data: { roomMessages: null } });
  network.socket.answer('liveCursor', 'complete');
  await pass();
  network.socket.answer('messageAdded', 'error', [
    { message: 'No such room.', extensions: { code: 'BAD_USER_INPUT', argument: 'roomId' } },
  ]);

  expect(subscriber.errors).toEqual(['BAD_USER_INPUT']);
});

test.each([
  ['an error', 'error', [UNAVAILABLE]],
  ['an event without data', 'next', { data: null, errors: [UNAVAILABLE] }],
] as const)('should subscribe again after SERVICE_UNAVAILABLE as %s', async (_, type, payload) => {
  const { network, pass, statuses, after, deliver, seqs, subscriber } = await subscribed();
  deliver(1);
  network.socket.answer('messageAdded', type, payload);
  await pass();
  expect(statuses.at(-1)).toBe('behind');
  await pass(1000);
  expect(after()).toEqual(['c0', 'c1']);
  network.socket.answer('messageAdded', type, payload);
  await pass(1999);
  expect(after()).toHaveLength(2);
  await pass(1);
  deliver(2);

  expect(after()).toEqual(['c0', 'c1', 'c1']);
  expect(seqs()).toEqual([1, 2]);
  expect(subscriber.errors).toEqual([]);
  expect(statuses.at(-1)).toBe('live');
});

test('should deliver an event of which a field failed, with the error', async () => {
  const next = vi.fn();
  const { network } = await subscribed({ next });
  const errors = [
    { message: 'No author.', path: ['messageAdded', 'node', 'author'], extensions: { code: 'INTERNAL' } },
  ];
  network.socket.answer('messageAdded', 'next', { ...added(1), errors });

  expect(next.mock.calls).toEqual([[added(1).data, errors]]);
});

test.each(['FORBIDDEN', 'UNAUTHENTICATED', 'BAD_USER_INPUT', 'INTERNAL'])(
  'should end with %s',
  async (code) => {
    const { network, pass, subscriber } = await subscribed();
    network.socket.answer('messageAdded', 'error', [{ message: 'No.', extensions: { code } }]);
    await pass(60_000);

    expect(subscriber).toMatchObject({ errors: [code], isComplete: false });
    expect(network.sockets).toHaveLength(1);
  },
);

test('should complete when the server completes it', async () => {
  const { network, pass, subscriber } = await subscribed();
  network.socket.answer('messageAdded', 'complete');
  await pass();

  expect(subscriber).toMatchObject({ errors: [], isComplete: true });
});

test('should call nothing any more once it was unsubscribed', async () => {
  const { network, pass, stop, deliver, subscriber } = await subscribed();
  deliver(1);
  stop();
  deliver(2);
  network.socket.answer('messageAdded', 'complete');
  await pass();

  expect(network.socket.sent.at(-1)?.type).toBe('complete');
  expect(subscriber.items).toHaveLength(1);
  expect(subscriber).toMatchObject({ errors: [], isComplete: false });
});

test('should outlive an exception of a callback, which is reported as uncaught', async () => {
  const uncaught: (() => void)[] = [];
  vi.stubGlobal('queueMicrotask', (callback: () => void) => uncaught.push(callback));
  const seqs: number[] = [];
  const { deliver, network } = await subscribed({
    next({ messageAdded }) {
      seqs.push(messageAdded.node.seq);
      if (messageAdded.node.seq === 1) throw new Error('a bug of the app');
    },
  });
  uncaught.length = 0;
  deliver(1, 2);

  expect(seqs).toEqual([1, 2]);
  expect(network.socket.closedWith).toBeUndefined();
  expect(uncaught).toHaveLength(1);
  expect(() => uncaught[0]?.()).toThrow('a bug of the app');
});

test('should end with HISTORY_GAP if the app does not handle it', async () => {
  const { network, subscriber } = await subscribed();
  network.socket.answer('messageAdded', 'error', [GAP]);

  expect(subscriber.errors).toEqual(['HISTORY_GAP']);
});

test('should start from nothing after a gap, at the page that the app has read', async () => {
  const gaps: ParleyError[] = [];
  let readPage = (_cursor: string): void => {};
  const { network, pass, statuses, after, deliver, seqs } = await subscribed({
    historyGap(gap) {
      gaps.push(gap);
      return new Promise<string>((resolve) => {
        readPage = resolve;
      });
    },
  });
  deliver(8, 9);
  network.socket.answer('messageAdded', 'error', [GAP]);
  await pass();
  expect(statuses.at(-1)).toBe('behind');
  network.socket.answer('liveCursor', 'next', { data: { roomMessages: { liveCursor: 'n1' } } });
  network.socket.answer('liveCursor', 'complete');
  await pass();
  expect(gaps).toMatchObject([{ code: 'HISTORY_GAP', errors: [GAP] }]);

  readPage('n2');
  await pass();
  expect(after().at(-1)).toBe('n2');
  deliver(3, 4);
  expect(seqs()).toEqual([8, 9, 3, 4]);
  expect(statuses.at(-1)).toBe('live');
});

test('should continue from the moment of the gap if the app gives no cursor', async () => {
  const order: string[] = [];
  const { network, pass, after } = await subscribed({
    historyGap() {
      order.push(`handler after ${network.socket.subscribed.length} operations`);
    },
  });
  network.socket.answer('messageAdded', 'error', [GAP]);
  await pass();
  network.socket.answer('liveCursor', 'next', { data: { roomMessages: { liveCursor: 'n1' } } });
  network.socket.answer('liveCursor', 'complete');
  await pass();

  expect(order).toEqual(['handler after 2 operations']);
  expect(after()).toEqual(['c0', undefined, 'n1']);
});

test('should end if the handler of a gap fails', async () => {
  const errors: ParleyError[] = [];
  const { network, pass } = await subscribed({
    error: (error) => errors.push(error),
    historyGap: () => Promise.reject(new Error('no page')),
  });
  network.socket.answer('messageAdded', 'error', [GAP]);
  await pass();
  network.socket.answer('liveCursor', 'next', { data: { roomMessages: { liveCursor: 'n1' } } });
  network.socket.answer('liveCursor', 'complete');
  await pass();

  expect(errors).toMatchObject([{ code: 'INTERNAL', cause: { message: 'no page' } }]);
});

test('should deliver room events once, follow every cursor, and start from nothing after a gap', async () => {
  const { client, network, statuses, pass } = createFakeClient();
  const received: string[] = [];
  const gaps: string[] = [];
  client.subscribe(ROOM_EVENTS, variables, {
    next: ({ roomEvents }) => received.push(`${roomEvents.__typename} ${roomEvents.cursor}`),
    error() {},
    historyGap: ({ code }) => gaps.push(code),
  });
  await pass();
  network.socket.accept();
  await pass();
  expect(statuses).toEqual(['behind']);
  let count = 0;
  const deliver = (__typename: string, fields = {}) => {
    count += 1;
    const event = { __typename, cursor: `p${count}`, ...fields };
    network.socket.answer('roomEvents', 'next', { data: { roomEvents: event } });
  };
  const message = (seq: number, revision: number) => ({ seq, revision });
  const add = (seq: number, revision = 1) =>
    deliver('MessageAddedEvent', { edge: { node: message(seq, revision) } });
  const change = (seq: number, revision: number) =>
    deliver('MessageChangedEvent', { message: message(seq, revision) });

  add(5);
  add(6, 2);
  change(6, 2);
  change(3, 4);
  change(3, 4);
  change(3, 5);
  deliver('CaughtUpEvent');
  expect(statuses.at(-1)).toBe('live');
  add(6);
  deliver('TypingEvent');
  expect(received).toEqual([
    'MessageAddedEvent p1',
    'MessageAddedEvent p2',
    'MessageChangedEvent p4',
    'MessageChangedEvent p6',
    'CaughtUpEvent p7',
    'TypingEvent p9',
  ]);
  received.length = 0;

  network.socket.drop(1006);
  await pass(1000);
  network.socket.accept();
  await pass();
  expect(statuses.at(-1)).toBe('behind');
  expect(network.socket.subscribed[0]?.payload?.variables).toMatchObject({ after: 'p9' });
  deliver('HistoryGapEvent');
  deliver('CaughtUpEvent');
  add(2);
  change(1, 2);
  expect(gaps).toEqual(['HISTORY_GAP']);
  expect(received).toEqual([
    'HistoryGapEvent p10',
    'CaughtUpEvent p11',
    'MessageAddedEvent p12',
    'MessageChangedEvent p13',
  ]);
  expect(statuses.at(-1)).toBe('live');
});

test('should iterate, and end the subscription with the loop', async () => {
  const { client, network, pass } = createFakeClient();
  const messages = client.subscribe(MESSAGE_ADDED, variables);
  await pass();
  expect(network.sockets).toHaveLength(0);

  const seqs: number[] = [];
  const loop = (async () => {
    for await (const { messageAdded } of messages) {
      seqs.push(messageAdded.node.seq);
      if (messageAdded.node.seq === 3) break;
    }
  })();
  await pass();
  network.socket.accept();
  await pass();
  for (const seq of [1, 2]) network.socket.answer('messageAdded', 'next', added(seq));
  await pass();
  expect(seqs).toEqual([1, 2]);
  for (const seq of [3, 4]) network.socket.answer('messageAdded', 'next', added(seq));
  await loop;

  expect(seqs).toEqual([1, 2, 3]);
  expect(network.socket.sent.at(-1)?.type).toBe('complete');
});

test('should throw the error out of the loop, after what was delivered before', async () => {
  const { client, network, pass } = createFakeClient();
  const iterator = client.subscribe(MESSAGE_ADDED, variables)[Symbol.asyncIterator]();
  const first = iterator.next();
  const second = iterator.next();
  await pass();
  network.socket.accept();
  await pass();
  network.socket.answer('messageAdded', 'next', added(1));
  network.socket.answer('messageAdded', 'next', added(2));
  network.socket.answer('messageAdded', 'next', added(3));
  network.socket.answer('messageAdded', 'error', [GAP]);

  expect((await Promise.all([first, second])).map(({ value }) => value?.messageAdded.node.seq)).toEqual([
    1, 2,
  ]);
  expect((await iterator.next()).value?.messageAdded.node.seq).toBe(3);
  await expect(iterator.next()).rejects.toMatchObject({ code: 'HISTORY_GAP' });
  expect(await iterator.next()).toEqual({ done: true, value: undefined });
});

test('should end an iteration that waits when it is returned from elsewhere', async () => {
  const { client, network, pass } = createFakeClient();
  const iterator = client.subscribe(MESSAGE_ADDED, variables)[Symbol.asyncIterator]();
  const waiting = iterator.next();
  await pass();
  network.socket.accept();
  await pass();
  await iterator.return?.();

  expect(await waiting).toEqual({ done: true, value: undefined });
});

test('should give each iteration a subscription of its own', async () => {
  const { client, network, pass } = createFakeClient();
  const messages = client.subscribe(MESSAGE_ADDED, variables);
  const iterators = [messages[Symbol.asyncIterator](), messages[Symbol.asyncIterator]()];
  await pass();
  network.socket.accept();
  await pass();

  expect(network.socket.subscribed).toHaveLength(2);
  await Promise.all(iterators.map((iterator) => iterator.return?.()));
});

test('should refuse a document that cannot be resumed before it does anything', async () => {
  const { client, network, pass } = createFakeClient();
  const { definitions } = MESSAGE_ADDED;

  expect(() =>
    client.subscribe({ ...MESSAGE_ADDED, definitions: [...definitions, ...definitions] }, variables),
  ).toThrow('one operation');
  await pass();
  expect(network.sockets).toHaveLength(0);
});

test('should not start if it is unsubscribed while the first cursor is fetched', async () => {
  const { network, pass, stop } = await subscribed({}, {});
  stop();
  network.socket.answer('liveCursor', 'next', { data: { roomMessages: { liveCursor: 'c7' } } });
  network.socket.answer('liveCursor', 'complete');
  await pass();

  expect(network.socket.subscribed).toHaveLength(1);
});
