import { type ExecutionResult, GraphQLError, parse } from 'graphql';
import { expect, test } from 'vitest';
import type { Context } from '../../../../src/graphql/context.js';
import type { Connection } from '../../../../src/transport/websocket/connection.js';
import { SocketSubscription } from '../../../../src/transport/websocket/subscription.js';

type Started = ExecutionResult | AsyncIterable<ExecutionResult>;

/** A subscription that is asked for its first result, while its start stands still until `start`. */
function starting() {
  let start = (_result: Started): void => {};
  const started = new Promise<Started>((resolve) => {
    start = resolve;
  });
  const subscription = new SocketSubscription(
    // Nothing else is called before the subscription is live.
    { pipeline: { watch: () => null, open: () => started }, fanout: {} } as never,
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

test('a subscription passes on what the pipeline yields, until it ends', async () => {
  const { subscription, first, start, source, ends } = starting();
  start(source);
  expect(await first).toEqual({ done: false, value: { data: { a: 1 } } });
  expect(await subscription.next()).toEqual({ done: false, value: { data: { a: 2 } } });
  expect(await subscription.next()).toEqual({ done: true, value: undefined });
  expect(ends).toEqual(['ended']);
});

test('a subscription that can not start fails; one that was ended before reports it to nobody', async () => {
  const { first, start } = starting();
  start(FAILURE);
  await expect(first).rejects.toThrow('No.');

  const ended = starting();
  await ended.subscription.return();
  ended.start(FAILURE);
  expect(await ended.first).toEqual({ done: true, value: undefined });
});

test('a subscription that is ended while it starts is over when it has started, and delivers nothing', async () => {
  const { subscription, first, start, source } = starting();
  let isOver = false;
  void first.then(() => {
    isOver = true;
  });
  await subscription.return();
  await new Promise((resolve) => setImmediate(resolve));
  // Its place on the socket is free only then.
  expect(isOver).toBe(false);
  start(source);
  expect(await first).toEqual({ done: true, value: undefined });
  expect(await source.next()).toEqual({ done: true, value: undefined });
});

test('a subscription that is ended between two results ends what the pipeline has begun', async () => {
  const { subscription, first, start, source, ends } = starting();
  start(source);
  await first;
  await subscription.return();
  expect(ends).toEqual(['ended']);
  expect(await subscription.next()).toEqual({ done: true, value: undefined });
});
