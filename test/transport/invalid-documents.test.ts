import { beforeAll, describe, expect, test } from 'vitest';
import { type Person, type Result, request, signUp } from '../helpers/client.js';
import { openEventStream } from '../helpers/event-stream.js';
import { startParley, type TestParley } from '../helpers/parley.js';
import { openSocketOf } from '../helpers/raw-socket.js';

/* Valid documents are cached. A rejected one must not be taken from the cache as valid. */

let parley: TestParley;
let alice: Person;

beforeAll(async () => {
  parley = await startParley();
  alice = await signUp(parley.url);
});

/** Runs one operation over each transport. */
const transports: readonly (readonly [string, (query: string) => Promise<Result<object>>])[] = [
  ['POST', (query) => request(parley.url, query, {}, alice.token)],
  [
    'GET',
    async (query) => {
      const response = await fetch(`${parley.url}?${new URLSearchParams({ query })}`);
      // Unchecked here: tests assert the shape of the result.
      return (await response.json()) as Result<object>;
    },
  ],
  [
    'WebSocket',
    async (query) => {
      const socket = await openSocketOf(alice, parley.webSocketUrl);
      socket.subscribe('1', {}, query);
      const [frame] = await Promise.race([socket.received('next'), socket.received('error')]);
      socket.destroy();
      return frame?.type === 'next' ? frame.payload : { errors: frame?.payload ?? [] };
    },
  ],
  [
    'server-sent events',
    async (query) => {
      const stream = await openEventStream(parley.url, alice, {}, query);
      const [first] = await stream.received(1);
      stream.abort();
      return first?.result ?? {};
    },
  ],
];

const repeat = (count: number, part: (index: number) => string) =>
  Array.from({ length: count }, (_, index) => part(index)).join(' ');

/** Three levels per repetition, and one for the id. */
const levels = (times: number): string =>
  times === 0 ? '{ id }' : `{ room { messages(last: 1) { nodes ${levels(times - 1)} } } }`;

const DOCUMENTS: readonly (readonly [string, string, string])[] = [
  ['with a syntax error', '{ __typename', 'BAD_USER_INPUT'],
  ['with an unknown field', '{ __typename nonsense }', 'BAD_USER_INPUT'],
  ['with a missing argument', '{ __typename node { id } }', 'BAD_USER_INPUT'],
  ['with an unknown variable', '{ __typename node(id: $id) { id } }', 'BAD_USER_INPUT'],
  ['that subscribes to an unknown field', 'subscription { nonsense }', 'BAD_USER_INPUT'],
  ['with too many tokens', `{ ${repeat(2000, () => 'x')} }`, 'LIMIT_EXCEEDED'],
  ['with too many aliases', `{ ${repeat(51, (index) => `a${index}: viewer { id }`)} }`, 'LIMIT_EXCEEDED'],
  ['with too many levels', `{ node(id: "x") { ... on Message ${levels(5)} } }`, 'LIMIT_EXCEEDED'],
];

describe.each(transports)('over %s', (name, run) => {
  test.each(DOCUMENTS)('a document %s is rejected twice with the same errors', async (_, document, code) => {
    // A different text per transport, since all of them share the cache.
    const query = `${document} # over ${name}`;
    const first = await run(query);
    expect(first.data ?? null).toBeNull();
    expect(first.errors?.length).toBeGreaterThan(0);
    for (const { extensions } of first.errors ?? []) expect(extensions).toMatchObject({ code });
    expect(await run(query)).toEqual(first);
  });
});
