import { buildSchema, type ExecutionResult, GraphQLError, parse } from 'graphql';
import { expect, test, vi } from 'vitest';
import type { LiveReader } from '../../../../src/delivery/live.js';
import type { OnLive } from '../../../../src/delivery/stream.js';
import type { Context } from '../../../../src/graphql/context.js';
import type { Results } from '../../../../src/graphql/subscribe.js';
import type { Connection } from '../../../../src/transport/websocket/connection.js';
import { SocketSubscription } from '../../../../src/transport/websocket/subscription.js';

/** Every client may have any number of subscriptions. */
const subscriptions = { enter() {}, leave() {} };

type Started = ExecutionResult | AsyncIterable<ExecutionResult>;

/** A subscription with a pending `next()`, whose start resolves with the argument of `start`. */
function createStarting() {
  let start = (_result: Started): void => {};
  const started = new Promise<Started>((resolve) => {
    start = resolve;
  });
  const subscription = new SocketSubscription(
    // Nothing else is called before a handoff.
    { pipeline: { observe: () => null, open: () => started, subscriptions }, fanout: {} } as never,
    {} as Connection,
    '1',
    { query: '{ a }' },
    { document: parse('{ a }'), contextValue: {} as Context },
  );
  const ends: string[] = [];
  async function* results(): AsyncGenerator<ExecutionResult> {
    try {
      yield { data: { a: 1 } };
      yield { data: { a: 2 } };
    } finally {
      ends.push('ended');
    }
  }
  const source = results();
  return { subscription, first: subscription.next(), start, source, ends };
}

const FAILURE = { errors: [new GraphQLError('No.')] };

test('a subscription yields the results of the pipeline until its end', async () => {
  const { subscription, first, start, source, ends } = createStarting();
  start(source);
  expect(await first).toEqual({ done: false, value: { data: { a: 1 } } });
  expect(await subscription.next()).toEqual({ done: false, value: { data: { a: 2 } } });
  expect(await subscription.next()).toEqual({ done: true, value: undefined });
  expect(ends).toEqual(['ended']);
});

test('a subscription that cannot start fails, unless it was ended before', async () => {
  const { first, start } = createStarting();
  start(FAILURE);
  await expect(first).rejects.toThrow('No.');

  const ended = createStarting();
  await ended.subscription.return();
  ended.start(FAILURE);
  expect(await ended.first).toEqual({ done: true, value: undefined });
});

test('a subscription that is ended while it starts is over once it has started, and yields nothing', async () => {
  const { subscription, first, start, source } = createStarting();
  let isOver = false;
  void first.then(() => {
    isOver = true;
  });
  await subscription.return();
  await new Promise((resolve) => setImmediate(resolve));
  // Until then, it counts toward the limit of the socket.
  expect(isOver).toBe(false);
  start(source);
  expect(await first).toEqual({ done: true, value: undefined });
  expect(await source.next()).toEqual({ done: true, value: undefined });
});

test("a subscription that is ended between two results ends the pipeline's stream", async () => {
  const { subscription, first, start, source, ends } = createStarting();
  start(source);
  await first;
  await subscription.return();
  expect(ends).toEqual(['ended']);
  expect(await subscription.next()).toEqual({ done: true, value: undefined });
});

const settled = () => new Promise((resolve) => setImmediate(resolve));

/** A subscription whose streams the test controls, with a group that takes over its reader. */
function createHandedOff() {
  const observer = { opened: vi.fn(), finished: vi.fn() };
  const release = vi.fn();
  const reader = { userId: 'alice', attachment: { release } } as unknown as LiveReader;
  let hasDocument = true;
  let onLive: OnLive = () => {};
  let end = (): void => {};
  const results = (): Results => {
    const ended = new Promise<IteratorResult<ExecutionResult, void>>((resolve) => {
      end = () => resolve({ done: true, value: undefined });
    });
    const stream: Results = {
      next: () => ended,
      return: async () => ({ done: true, value: undefined }),
      [Symbol.asyncIterator]: () => stream,
    };
    return stream;
  };
  const group = { reader, join: vi.fn(), leave: vi.fn(() => true) };
  const document = parse('{ a }');
  const pipeline = {
    subscriptions,
    schema: buildSchema('type Query { a: Int }'),
    observe: () => observer,
    prepare: () => (hasDocument ? document : [new GraphQLError('No document.')]),
    contextOf: () => ({}),
    open: async (_args: unknown, take: OnLive) => {
      onLive = take;
      return results();
    },
    resume: vi.fn((_args: unknown, _reader: LiveReader, take: OnLive) => {
      onLive = take;
      return results();
    }),
  };
  const subscription = new SocketSubscription(
    { pipeline, fanout: { createGroupSubscriber: () => group } } as never,
    {} as Connection,
    '1',
    { query: '{ a }' },
    { document, contextValue: {} as Context },
  );
  return {
    subscription,
    observer,
    release,
    reader,
    group,
    pipeline,
    /** Ends the pipeline's stream, after which the reader belongs to the subscription. */
    handOff: async () => {
      onLive(reader);
      end();
      await settled();
    },
    loseDocument: () => {
      hasDocument = false;
    },
  };
}

test('a subscription is opened and finished once, however often a group releases it', async () => {
  const { subscription, observer, reader, group, pipeline, handOff, release } = createHandedOff();
  const next = subscription.next();
  await settled();
  for (const resumed of [0, 1, 2]) {
    await handOff();
    expect(group.join).toHaveBeenCalledTimes(resumed + 1);
    expect(pipeline.resume).toHaveBeenCalledTimes(resumed);
    subscription.onRelease(reader);
    await settled();
  }
  await handOff();
  expect(observer.opened).toHaveBeenCalledTimes(1);
  expect(observer.finished).not.toHaveBeenCalled();
  await subscription.return();
  expect(await next).toEqual({ done: true, value: undefined });
  expect(observer.finished).toHaveBeenCalledTimes(1);
  expect(release).toHaveBeenCalledTimes(1);
});

test('a reader that is handed off as its subscription ends is released', async () => {
  const { subscription, release, group, handOff } = createHandedOff();
  const next = subscription.next();
  await settled();
  await subscription.return();
  await handOff();
  expect(await next).toEqual({ done: true, value: undefined });
  expect(release).toHaveBeenCalledTimes(1);
  expect(group.join).not.toHaveBeenCalled();
});

test('a reader whose subscription cannot be resumed is released, and the subscription fails', async () => {
  const { subscription, release, reader, handOff, loseDocument } = createHandedOff();
  const next = subscription.next();
  await settled();
  await handOff();
  loseDocument();
  subscription.onRelease(reader);
  await expect(next).rejects.toThrow('No document.');
  expect(release).toHaveBeenCalledTimes(1);
});
