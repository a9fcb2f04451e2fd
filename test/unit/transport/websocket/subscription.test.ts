import { type ExecutionResult, GraphQLError, parse } from 'graphql';
import { expect, test } from 'vitest';
import type { Context } from '../../../../src/graphql/context.js';
import type { Connection } from '../../../../src/transport/websocket/connection.js';
import { SocketSubscription } from '../../../../src/transport/websocket/subscription.js';

type Started = ExecutionResult | AsyncIterable<ExecutionResult>;

/** A subscription with a pending `next()`, whose start resolves with the argument of `start`. */
function createStarting() {
  let start = (_result: Started): void => {};
  const started = new Promise<Started>((resolve) => {
    start = resolve;
  });
  const subscription = new SocketSubscription(
    // Nothing else is called before a handoff.
    { pipeline: { observe: () => null, open: () => started }, fanout: {} } as never,
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
