import { beforeAll, beforeEach, expect, test } from 'vitest';
import type { EventDelivery, Operation, OperationOutcome, PipelineHooks } from '../../src/graphql/hooks.js';
import { createRoom, EDGE_FIELDS, type Person, page, send, signUp } from '../helpers/client.js';
import { openEventStream } from '../helpers/event-stream.js';
import { startParley, type TestParley } from '../helpers/parley.js';
import { openSocketOf } from '../helpers/raw-socket.js';
import { openWire } from '../helpers/wire.js';

/** The calls of the hooks in order, each as `call kind name`. */
const calls: string[] = [];
const outcomes = new Map<string, OperationOutcome>();
const deliveries: EventDelivery[] = [];

function record(call: string, { name, kind }: Operation): void {
  calls.push(`${call} ${kind} ${name}`);
}

const hooks: PipelineHooks = {
  operationStarted: (operation) => record('started', operation),
  operationFinished(operation, outcome) {
    record('finished', operation);
    outcomes.set(operation.name ?? '', outcome);
  },
  subscriptionOpened: (operation) => record('opened', operation),
  subscriptionClosed: (operation) => record('closed', operation),
  eventDelivered: (delivery) => void deliveries.push(delivery),
};

/** Throws on every call, which must not affect clients or other hooks. */
const broken: PipelineHooks = {
  operationStarted() {
    throw new Error('A broken hook.');
  },
  operationFinished() {
    throw new Error('A broken hook.');
  },
  eventDelivered() {
    throw new Error('A broken hook.');
  },
};

let parley: TestParley;
let alice: Person;
let roomId: string;

beforeAll(async () => {
  parley = await startParley({ overrides: { hooks: [broken, hooks] } });
  alice = await signUp(parley.url);
  roomId = await createRoom(alice);
});

beforeEach(() => {
  calls.length = 0;
  deliveries.length = 0;
  outcomes.clear();
});

/** Resolves when an operation with this name has finished. */
const finished = (name: string) =>
  expect
    .poll(() => calls.filter((call) => call.startsWith('finished') && call.endsWith(` ${name}`)))
    .toHaveLength(1);

async function post(body: object): Promise<void> {
  const response = await fetch(parley.url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${alice.token}` },
    body: JSON.stringify(body),
  });
  await response.text();
}

async function get(query: string): Promise<void> {
  await (await fetch(`${parley.url}?query=${encodeURIComponent(query)}`)).text();
}

async function overWebSocket(payload: object): Promise<void> {
  const socket = await openSocketOf(alice, parley.webSocketUrl);
  socket.send({ type: 'subscribe', id: '1', payload });
  await expect
    .poll(() => socket.frames.some(({ type }) => type === 'complete' || type === 'error'))
    .toBe(true);
  socket.destroy();
}

const PATHS = {
  'the direct HTTP path': (query: string) => post({ query }),
  // Yoga handles all requests with an unknown parameter, and ignores it if it is null.
  'Yoga, by POST': (query: string) => post({ query, unknown: null }),
  'Yoga, by GET': (query: string) => get(query),
  WebSocket: (query: string) => overWebSocket({ query }),
};

test.each(Object.entries(PATHS))('a query over %s is started and finished once', async (_, run) => {
  await run('query Single { __typename }');
  expect(calls).toEqual(['started query Single', 'finished query Single']);
  expect(outcomes.get('Single')).toMatchObject({ errors: [] });
  expect(outcomes.get('Single')?.durationMs).toBeGreaterThanOrEqual(0);
});

test.each(Object.entries(PATHS))(
  'an invalid document over %s is rejected once, with its errors',
  async (_, run) => {
    await run('query Wrong { nonsense }');
    expect(calls).toHaveLength(2);
    const [outcome] = [...outcomes.values()];
    expect(outcome?.errors.map(({ extensions }) => extensions.code)).toEqual(['BAD_USER_INPUT']);
  },
);

test.each(['the direct HTTP path', 'Yoga, by POST', 'WebSocket'] as const)(
  'a failing operation over %s is finished with its coded errors',
  async (path) => {
    await PATHS[path]('mutation Failing { joinRoom(input: {}) { __typename } }');
    await PATHS[path]('query Named($id: ID!) { node(id: $id) { id } }');
    expect(calls.filter((call) => call.startsWith('started'))).toHaveLength(2);
    expect(calls.filter((call) => call.startsWith('finished'))).toHaveLength(2);
    for (const { errors } of outcomes.values())
      expect(errors.map(({ extensions }) => extensions.code)).toEqual(['BAD_USER_INPUT']);
  },
);

test('a mutation by GET is rejected once, before its execution', async () => {
  await get('mutation Got { joinRoom(input: { roomId: "R" }) { __typename } }');
  expect(calls).toHaveLength(2);
  expect(calls[0]).toMatch(/^started/);
  expect(outcomes.size).toBe(1);
});

test('an unknown operation name is rejected once over HTTP and over WebSocket', async () => {
  await post({ query: 'query A { __typename } query B { __typename }', operationName: 'C' });
  expect(calls).toEqual(['started null C', 'finished null C']);
  await overWebSocket({ query: 'query A { __typename } query B { __typename }', operationName: 'C' });
  expect(calls).toEqual(['started null C', 'finished null C', 'started null C', 'finished null C']);
});

const LISTEN = `subscription Listen($roomId: ID!, $after: String) {
  messageAdded(roomId: $roomId, after: $after) { ${EDGE_FIELDS} }
}`;

test('a subscription over server-sent events is opened, delivers and is closed once', async () => {
  const stream = await openEventStream(parley.url, alice, { roomId }, LISTEN);
  await expect.poll(() => calls).toEqual(['started subscription Listen', 'opened subscription Listen']);
  await send(alice, roomId, 'Grüße');
  const [event] = await stream.received(1);
  expect(deliveries).toEqual([
    {
      operation: expect.objectContaining({ name: 'Listen' }),
      subscribers: 1,
      bytes: Buffer.byteLength(JSON.stringify(event?.result)),
      lagMs: null,
    },
  ]);
  stream.abort();
  await finished('Listen');
  expect(calls.slice(-2)).toEqual(['closed subscription Listen', 'finished subscription Listen']);
});

test.each(['SSE', 'WebSocket'] as const)(
  'a subscription over %s that cannot start is finished with its error, and never opened',
  async (transport) => {
    const variables = { roomId, after: 'nonsense' };
    if (transport === 'SSE') await (await openEventStream(parley.url, alice, variables, LISTEN)).ended;
    else await overWebSocket({ query: LISTEN, variables });
    await finished('Listen');
    expect(calls).toEqual(['started subscription Listen', 'finished subscription Listen']);
    expect(outcomes.get('Listen')?.errors[0]?.extensions.code).toBe('BAD_USER_INPUT');
  },
);

test('subscriptions over WebSocket are opened and closed once, and an event is reported once for their group', async () => {
  const after = (await page(alice, roomId)).liveCursor;
  const count = 5;
  const sockets = await Promise.all(
    Array.from({ length: count }, () => openSocketOf(alice, parley.webSocketUrl)),
  );
  for (const socket of sockets) socket.subscribe('live', { roomId, after }, LISTEN);
  // After two messages, all subscribers are served by the group.
  for (const received of [1, 2]) {
    await send(alice, roomId, 'to be live');
    await Promise.all(sockets.map((socket) => socket.received('next', 'live', received)));
  }
  deliveries.length = 0;
  await send(alice, roomId, 'Grüße');
  const frames = await Promise.all(sockets.map((socket) => socket.received('next', 'live', 3)));
  await expect.poll(() => deliveries).toHaveLength(1);
  expect(deliveries[0]).toMatchObject({
    operation: { name: 'Listen' },
    subscribers: count,
    bytes: Buffer.byteLength(JSON.stringify(frames[0]?.[2]?.payload)),
    lagMs: expect.any(Number),
  });

  for (const socket of sockets) socket.send({ type: 'complete', id: 'live' });
  const of = (call: string) => calls.filter((each) => each === `${call} subscription Listen`);
  await expect.poll(() => of('finished')).toHaveLength(count);
  for (const call of ['started', 'opened', 'closed']) expect(of(call)).toHaveLength(count);
});

test('a subscription that is completed before it has started is finished as often as it is started', async () => {
  // In one TCP write: graphql-ws then ends the subscription without ever asking for a result.
  const wire = await openWire(alice, parley.webSocketUrl);
  const subscribe = (id: string) => ({
    type: 'subscribe',
    id,
    payload: { query: LISTEN, variables: { roomId } },
  });
  wire.send(subscribe('a'), { type: 'complete', id: 'a' }, subscribe('b'), { type: 'complete', id: 'b' });
  wire.send({ type: 'subscribe', id: 'q', payload: { query: 'query After { __typename }' } });
  await finished('After');
  const of = (call: string) => calls.filter((each) => each === `${call} subscription Listen`).length;
  await expect.poll(() => of('finished')).toBe(of('started'));
});

test('a query that fails in its execution is counted once over every path', async () => {
  for (const [path, run] of Object.entries(PATHS)) {
    calls.length = 0;
    await run('query Failing { rooms(first: -1) { nodes { id } } }');
    expect(calls, path).toEqual(['started query Failing', 'finished query Failing']);
  }
});

test('an error thrown by a hook is logged, and affects neither clients nor other hooks', () => {
  expect(parley.log.some((line) => line.includes('A pipeline hook failed'))).toBe(true);
});
