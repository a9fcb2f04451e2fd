import { beforeAll, describe, expect, test } from 'vitest';
import { OPERATION_LIMITS } from '../../src/graphql/limits/work.js';
import { createRoom, type Person, request, send, signUp } from '../helpers/client.js';
import { startParley, type TestParley } from '../helpers/parley.js';
import { openSocketOf } from '../helpers/raw-socket.js';
import { replaceResolver } from '../helpers/replace-resolver.js';
import { transportsOf } from '../helpers/transports.js';

/* What one operation may cost, read and answer; alike on every transport. */

let parley: TestParley;
let alice: Person;
let roomId: string;

beforeAll(async () => {
  parley = await startParley();
  alice = await signUp(parley.url);
  roomId = await createRoom(alice);
});

const transports = transportsOf(() => ({ url: parley.url, person: alice }));

describe.each(Object.entries(transports))('over %s', (_, run) => {
  const NESTED = `query ($roomId: ID!, $size: Int = 100) {
    roomMessages(roomId: $roomId, last: $size) { nodes { room { messages(last: $size) { nodes { text } } } } }
  }`;

  test('pages of pages are refused before anything is executed, and their cost is reported', async () => {
    let executed = 0;
    replaceResolver('room', (resolve) => (...args) => {
      executed += 1;
      return resolve(...args);
    });
    const { data, errors } = await run(NESTED, { roomId });

    expect(data ?? null).toBeNull();
    expect(errors).toEqual([
      {
        message: expect.stringContaining('select fewer fields'),
        extensions: { code: 'LIMIT_EXCEEDED', cost: 11 + 100 * (2 + 11 + 200), maxCost: 5000 },
      },
    ]);
    expect(executed).toBe(0);
  });

  test('the same document with smaller pages is executed', async () => {
    await send(alice, roomId, 'text');
    const { data, errors } = await run(NESTED, { roomId, size: 5 });

    expect(errors).toBeUndefined();
    expect(JSON.stringify(data)).toContain('"text":"text"');
  });

  test('a mutation over the limit is not executed', async () => {
    const query = `mutation ($input: SendMessageInput!) { sendMessage(input: $input) {
      ... on SendMessagePayload { edge { node { room { messages(last: 100) { nodes { room { messages(last: 100) { nodes { id } } } } } } } } }
    } }`;
    const text = `too expensive ${Math.random()}`;
    const { errors } = await run(query, { input: { roomId, text } });

    expect(errors).toMatchObject([{ extensions: { code: 'LIMIT_EXCEEDED' } }]);
    const page = await alice.request(
      'query ($roomId: ID!) { roomMessages(roomId: $roomId) { nodes { text } } }',
      {
        roomId,
      },
    );
    expect(JSON.stringify(page)).not.toContain(text);
  });

  test('a list below the event of a subscription is refused', async () => {
    const { errors } = await run(
      'subscription ($roomId: ID!) { messageAdded(roomId: $roomId) { node { room { messages { nodes { id } } } } } }',
      { roomId },
    );

    expect(errors).toMatchObject([
      { message: expect.stringContaining('Query it separately'), extensions: { code: 'BAD_USER_INPUT' } },
    ]);
  });

  test('an answer of several megabytes is refused', async () => {
    const room = await createRoom(alice);
    const text = '€'.repeat(4000);
    for (let index = 0; index < 20; index += 1) await send(alice, room, text);
    const copies = (count: number): string =>
      `query ($room: ID!) { roomMessages(roomId: $room, last: 20) { nodes {
        ${Array.from({ length: count }, (__, index) => `a${index}: text`).join(' ')} } } }`;

    const { data, errors } = await run(copies(20), { room });
    expect(data ?? null).toBeNull();
    expect(errors).toMatchObject([
      { message: expect.stringContaining('larger than 4 MiB'), extensions: { code: 'LIMIT_EXCEEDED' } },
    ]);
    expect((await run(copies(5), { room })).errors).toBeUndefined();
  });
});

describe('the reads of an operation', () => {
  test('are limited', async () => {
    const bob = await signUp(parley.url);
    const { reads } = OPERATION_LIMITS;
    await Promise.all(Array.from({ length: reads / 2 }, () => createRoom(bob)));
    const rooms = (lists: string): string => `{ viewer { rooms(first: 100) { nodes { ${lists} } } } }`;
    const one = 'a: messages(last: 1) { liveCursor }';

    expect((await bob.request(rooms(one))).errors).toBeUndefined();
    const { data, errors } = await bob.request(rooms(`${one} ${one.replace('a:', 'b:')}`));
    expect(data ?? null).toBeNull();
    expect(errors).toMatchObject([
      {
        message: expect.stringContaining(`more than ${reads} reads`),
        extensions: { code: 'LIMIT_EXCEEDED' },
      },
    ]);
  });

  /** Starts a query whose second read is made when `go` is called; `ended` resolves to the outcome of that read. */
  function slowQuery() {
    let go = (): void => {};
    let started = (): void => {};
    let end = (_: string): void => {};
    const gate = new Promise<void>((resolve) => {
      go = resolve;
    });
    const waiting = new Promise<void>((resolve) => {
      started = resolve;
    });
    const ended = new Promise<string>((resolve) => {
      end = resolve;
    });
    replaceResolver('room', (resolve) => async (...args) => {
      started();
      await gate;
      const room = await Promise.resolve(resolve(...args)).catch((error: Error) => {
        end(error.name);
        throw error;
      });
      end('read');
      return room;
    });
    return { go, waiting, ended };
  }
  const QUERY = 'query ($roomId: ID!) { roomMessages(roomId: $roomId, last: 1) { nodes { room { name } } } }';

  test('are made while the client waits', async () => {
    const { go, ended } = slowQuery();
    go();
    await alice.request(QUERY, { roomId });
    expect(await ended).toBe('read');
  });

  test('end when the client of an HTTP request is gone', async () => {
    const { go, waiting, ended } = slowQuery();
    const controller = new AbortController();
    const response = request(parley.url, QUERY, { roomId }, alice.token, controller.signal);
    await waiting;
    controller.abort();
    await expect(response).rejects.toThrow();
    // The server has noticed it when another request is answered.
    await alice.request('{ __typename }');
    go();
    expect(await ended).toBe('ServiceUnavailableError');
  });

  test.each(['complete', 'close'])('end when the client of a WebSocket sends %s', async (how) => {
    const { go, waiting, ended } = slowQuery();
    const socket = await openSocketOf(alice, parley.webSocketUrl);
    socket.subscribe('1', { roomId }, QUERY);
    await waiting;
    if (how === 'complete') {
      socket.send({ type: 'complete', id: '1' });
      socket.subscribe('2', {}, '{ __typename }');
      await socket.received('next', '2');
    } else {
      socket.destroy();
      await alice.request('{ __typename }');
    }
    go();
    expect(await ended).toBe('ServiceUnavailableError');
  });

  test('go on after a mutation whose client is gone', async () => {
    const { go, waiting, ended } = slowQuery();
    const controller = new AbortController();
    const mutation = `mutation ($input: SendMessageInput!) { sendMessage(input: $input) {
      ... on SendMessagePayload { edge { node { room { name } } } } } }`;
    const input = { roomId, text: 'sent' };
    const response = request(parley.url, mutation, { input }, alice.token, controller.signal);
    await waiting;
    controller.abort();
    await expect(response).rejects.toThrow();
    await alice.request('{ __typename }');
    go();
    expect(await ended).toBe('read');
  });
});
