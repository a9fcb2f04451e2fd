import { randomInt } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { parse } from 'graphql';
import { beforeAll, expect, test, vi } from 'vitest';
import { http } from '../../packages/client/src/http.js';
import type { ParleyClient, TokenRequest, TypedDocumentNode } from '../../packages/client/src/index.js';
import {
  CreateRoomDocument,
  RoomMessagesDocument,
  SendMessageDocument,
} from '../../schema/generated/graphql.js';
import { createTokens } from '../../src/auth/tokens.js';
import { at, createRoom, type Person, page, send, signUp } from '../helpers/client.js';
import { createTestDatabase, openStores } from '../helpers/database.js';
import { startParley, startSibling, type TestParley } from '../helpers/parley.js';
import {
  createClientOf,
  type EdgeOf,
  type EventOf,
  watchEvents,
  watchMessages,
} from '../helpers/parley-client.js';
import { startTcpProxy, type TcpProxy } from '../helpers/tcp-proxy.js';

let parley: TestParley;
let alice: Person;

beforeAll(async () => {
  parley = await startParley();
  alice = await signUp(parley.url);
});

const SECOND = 1000;
const from1To = (last: number): number[] => Array.from({ length: last }, (_, index) => index + 1);
const seqs = (edges: readonly EdgeOf[]): number[] => edges.map(({ node }) => node.seq);
const addedSeqs = (events: readonly EventOf[]): number[] =>
  events.flatMap((event) => (event.__typename === 'MessageAddedEvent' ? [event.edge.node.seq] : []));

/** The client behind a network that the test controls. */
async function createProxied(
  of: TestParley = parley,
): Promise<{ client: ParleyClient; proxy: TcpProxy; statuses: string[] }> {
  const proxy = await startTcpProxy(Number(new URL(of.url).port));
  const statuses: string[] = [];
  const client = createClientOf({
    url: `http://127.0.0.1:${proxy.port}/graphql`,
    token: alice.token,
    onStatus: (status) => statuses.push(status),
  });
  return { client, proxy, statuses };
}

test('should deliver what others sent while the server was away, once and in order', async () => {
  const first = await startParley();
  const other = await startSibling(first);
  const carol = await signUp(first.url);
  const roomId = await createRoom(carol);
  const { liveCursor } = await page(carol, roomId);
  const statuses: string[] = [];
  const client = createClientOf({
    url: first.url,
    token: carol.token,
    onStatus: (status) => statuses.push(status),
  });
  const messages = watchMessages(client, roomId, liveCursor);
  const events = watchEvents(client, roomId, liveCursor);
  await expect.poll(() => statuses.at(-1)).toBe('live');
  await send(carol, roomId, 'before');
  await expect.poll(() => seqs(messages.items)).toEqual([1]);

  await first.stop();
  for (const text of ['one', 'two', 'three']) await send(at(other.url, carol), roomId, text);
  await expect.poll(() => statuses.at(-1)).toBe('offline');
  const again = await startSibling(first, { env: { PORT: new URL(first.url).port } });
  await send(at(again.url, carol), roomId, 'after');

  await expect.poll(() => seqs(messages.items), { timeout: 10 * SECOND }).toEqual(from1To(5));
  await expect.poll(() => addedSeqs(events.items), { timeout: 10 * SECOND }).toEqual(from1To(5));
  await expect.poll(() => statuses.at(-1)).toBe('live');
  expect(
    events.items.map(({ __typename }) => __typename).filter((type) => type === 'CaughtUpEvent'),
  ).toHaveLength(2);
});

test('should start at the end of the history without a cursor, wherever the first cut comes', async () => {
  const roomId = await createRoom(alice);
  await send(alice, roomId, 'before');
  const { client, proxy, statuses } = await createProxied();
  const messages = watchMessages(client, roomId);
  await expect.poll(() => statuses.at(-1)).toBe('live');
  await client.query(RoomMessagesDocument, { roomId, last: 1 });
  proxy.cut();
  await send(alice, roomId, 'during the cut');

  await expect.poll(() => seqs(messages.items)).toEqual([2]);
});

test('should continue with new tokens when the old ones expire, also meanwhile', async () => {
  const roomId = await createRoom(alice);
  const { liveCursor } = await page(alice, roomId);
  const tokens = createTokens(parley.config.jwtSecret ?? '', 2);
  const known = await tokens.authenticate(alice.token);
  if (known.kind !== 'viewer') throw new Error('A token that was just issued must be good');
  const requests: boolean[] = [];
  const client = createClientOf({
    url: parley.url,
    token: async ({ expired }: TokenRequest) => {
      requests.push(expired);
      return (await tokens.issue(known.viewer)).token;
    },
  });
  const messages = watchMessages(client, roomId, liveCursor);
  let sent = 0;
  while (requests.length < 3) {
    sent += 1;
    await send(alice, roomId, `${sent}`);
  }

  await expect.poll(() => seqs(messages.items), { timeout: 10 * SECOND }).toEqual(from1To(sent));
  expect(requests.slice(0, 3)).toEqual([false, true, true]);
  expect(messages.errors).toEqual([]);
});

test('should give up with 4401 and connect again with the token of the next sign-in', async () => {
  const roomId = await createRoom(alice);
  const statuses: string[] = [];
  let token = 'nonsense';
  const client = createClientOf({
    url: parley.url,
    token: () => token,
    onStatus: (status, reason) => statuses.push(`${status} ${reason?.closeCode ?? ''}`.trim()),
  });
  const messages = watchMessages(client, roomId);
  await expect.poll(() => messages.errors).toEqual(['UNAUTHENTICATED']);
  expect(statuses).toEqual(['signed-out 4401']);

  ({ token } = alice);
  expect(await client.query(RoomMessagesDocument, { roomId })).toMatchObject({ roomMessages: { edges: [] } });
  expect(statuses).toEqual(['signed-out 4401', 'connecting', 'live']);
});

test('should report a new epoch: `messageAdded` continues at the page of the app, `roomEvents` by itself', async () => {
  const own = await startParley();
  const carol = await signUp(own.url);
  const roomId = await createRoom(carol);
  await send(carol, roomId, 'one');
  const { liveCursor } = await page(carol, roomId);
  const client = createClientOf({ url: own.url, token: carol.token });
  const readPage = async (): Promise<string> => {
    const { roomMessages } = await client.query(RoomMessagesDocument, { roomId });
    if (!roomMessages) throw new Error('There is no page');
    return roomMessages.liveCursor;
  };
  const unhandled = watchMessages(client, roomId, liveCursor);
  const messages = watchMessages(client, roomId, liveCursor, readPage);
  const events = watchEvents(client, roomId, liveCursor);
  await expect.poll(() => events.items.length).toBe(1);

  const epoch = Buffer.from(liveCursor, 'base64url').toString('hex', 17, 25);
  await openStores(own.database).epochs.renew(epoch);

  await expect.poll(() => messages.gaps, { timeout: 5 * SECOND }).toEqual(['HISTORY_GAP']);
  await expect.poll(() => events.gaps).toEqual(['HISTORY_GAP']);
  await expect.poll(() => unhandled.errors).toEqual(['HISTORY_GAP']);
  await send(carol, roomId, 'two');
  await expect.poll(() => seqs(messages.items)).toEqual([2]);
  await expect
    .poll(() => events.items.map(({ __typename }) => __typename))
    .toEqual(['CaughtUpEvent', 'HistoryGapEvent', 'CaughtUpEvent', 'MessageAddedEvent']);
});

test('should wait out a database that is away: queries and sends arrive, once', async () => {
  const database = await createTestDatabase();
  const { port } = new URL(database.url);
  const proxy = await startTcpProxy(Number(port));
  const own = await startParley({
    database,
    overrides: { database: { connection: { ...database.connection, host: '127.0.0.1', port: proxy.port } } },
  });
  const carol = await signUp(own.url);
  const roomId = await createRoom(carol);
  const { liveCursor } = await page(carol, roomId);
  const statuses: string[] = [];
  const client = createClientOf({
    url: own.url,
    token: carol.token,
    onStatus: (status) => statuses.push(status),
  });
  const overHttp = createClientOf({ url: own.url, token: carol.token, requests: http });
  const messages = watchMessages(client, roomId, liveCursor);
  await send(carol, roomId, 'before');
  await expect.poll(() => seqs(messages.items)).toEqual([1]);

  await proxy.stop();
  const results = Promise.all(
    [client, overHttp].flatMap((each, index) => [
      each.query(RoomMessagesDocument, { roomId }),
      each.mutate(SendMessageDocument, {
        input: { roomId, text: 'meanwhile', clientMessageId: `id-${index}` },
      }),
    ]),
  );
  await expect.poll(() => statuses, { timeout: 15 * SECOND }).toContain('behind');
  await startTcpProxy(Number(port), proxy.port);

  expect(await results).toHaveLength(4);
  await expect.poll(() => statuses.at(-1)).toBe('live');
  await expect.poll(() => seqs(messages.items), { timeout: 10 * SECOND }).toEqual([1, 2, 3]);
}, 60_000);

test('should notice a connection whose packets are swallowed', async () => {
  const target = new EventTarget();
  vi.stubGlobal('addEventListener', target.addEventListener.bind(target));
  const roomId = await createRoom(alice);
  const { liveCursor } = await page(alice, roomId);
  const { client, proxy } = await createProxied();
  const messages = watchMessages(client, roomId, liveCursor);
  await send(alice, roomId, 'before');
  await expect.poll(() => seqs(messages.items)).toEqual([1]);

  proxy.swallow();
  await send(alice, roomId, 'into the void');
  proxy.restore();
  target.dispatchEvent(new Event('online'));

  await expect.poll(() => seqs(messages.items), { timeout: 10 * SECOND }).toEqual([1, 2]);
  vi.unstubAllGlobals();
});

const MOMENTS: readonly [
  string,
  (proxy: TcpProxy, roomId: string, watched: () => number) => Promise<void>,
][] = [
  [
    'at any moment until it is acknowledged',
    async (proxy) => {
      for (let count = 0; count < 50; count += 1) {
        await nextTurn();
        proxy.cut();
      }
    },
  ],
  [
    'in the middle of a replay',
    async (proxy, _, watched) => {
      await expect.poll(watched, { interval: 1 }).toBeGreaterThan(0);
      proxy.cut();
    },
  ],
  [
    'between messages',
    async (proxy, roomId, watched) => {
      await expect.poll(watched).toBe(120);
      proxy.cut();
      await send(alice, roomId, 'later');
    },
  ],
];

test.each(MOMENTS)('should continue after a cut %s', async (_, cut) => {
  const roomId = await createRoom(alice);
  const { liveCursor } = await page(alice, roomId);
  await Promise.all(from1To(120).map((each) => send(alice, roomId, `${each}`)));
  const { client, proxy } = await createProxied();
  const messages = watchMessages(client, roomId, liveCursor);
  const events = watchEvents(client, roomId, liveCursor);

  await cut(proxy, roomId, () => messages.items.length);
  await send(alice, roomId, 'the end');

  const { edges } = await page(alice, roomId, { last: 1 });
  const last = edges[0]?.node.seq ?? 0;
  await expect.poll(() => messages.items.length, { timeout: 10 * SECOND }).toBe(last);
  await expect.poll(() => addedSeqs(events.items).length, { timeout: 10 * SECOND }).toBe(last);
  expect(seqs(messages.items)).toEqual(from1To(last));
  expect(addedSeqs(events.items)).toEqual(from1To(last));
});

test('should repeat what it may, and say of other mutations that the outcome is unknown', async () => {
  const { client, proxy, statuses } = await createProxied();
  const roomId = await createRoom(alice);
  const messages = watchMessages(client, roomId);
  await expect.poll(() => statuses.at(-1)).toBe('live');
  await client.query(RoomMessagesDocument, { roomId });

  // What is sent reaches nobody, so that the cut comes before every answer.
  proxy.swallow();
  const page = client.query(RoomMessagesDocument, { roomId });
  const sent = client.mutate(SendMessageDocument, { input: { roomId, text: 'Hello', clientMessageId: 'a' } });
  const unknown = expect(
    client.mutate(CreateRoomDocument, { input: { name: 'A room' } }),
  ).rejects.toMatchObject({
    code: 'OUTCOME_UNKNOWN',
  });
  proxy.cut();
  await unknown;
  proxy.restore();
  proxy.cut();

  expect(await sent).toMatchObject({ sendMessage: { __typename: 'SendMessagePayload' } });
  expect(await page).toMatchObject({ roomMessages: { liveCursor: expect.any(String) } });
  await expect.poll(() => messages.items.map(({ node }) => node.clientMessageId)).toEqual(['a']);
});

test('should iterate across cuts', async () => {
  const roomId = await createRoom(alice);
  const { liveCursor: after } = await page(alice, roomId);
  const { client, proxy } = await createProxied();
  const document: TypedDocumentNode<
    { live: { at: string; message: { seq: number } } },
    { room: string; from: string }
  > = parse(`subscription ($room: ID!, $from: String) { ...Live }
    fragment Live on Subscription { live: messageAdded(after: $from, roomId: $room) { at: cursor message: node { seq } } }`);
  const received: number[] = [];
  const sending = (async () => {
    for (let count = 0; count < 30; count += 1) {
      await send(alice, roomId, `${count}`);
      if (count % 10 === 5) proxy.cut();
    }
  })();
  for await (const { live } of client.subscribe(document, { room: roomId, from: after })) {
    received.push(live.message.seq);
    if (live.message.seq === 30) break;
  }
  await sending;

  expect(received).toEqual(from1To(30));
});

test('random cuts: everybody sees every message once and in order', async () => {
  const roomId = await createRoom(alice);
  const { liveCursor } = await page(alice, roomId);
  const peers = await Promise.all(
    from1To(3).map(async () => {
      const proxied = await createProxied();
      return {
        ...proxied,
        messages: watchMessages(proxied.client, roomId, liveCursor),
        events: watchEvents(proxied.client, roomId, liveCursor),
      };
    }),
  );
  const perPeer = 60;
  let isOver = false;
  const cutting = Promise.all(
    peers.map(async ({ proxy }) => {
      while (!isOver) {
        await new Promise((resolve) => setTimeout(resolve, randomInt(20, 400)));
        proxy.cut();
      }
    }),
  );
  await Promise.all(
    peers.map(async ({ client }, peer) => {
      for (const each of from1To(perPeer)) {
        const input = { roomId, text: `${peer}-${each}`, clientMessageId: `${peer}-${each}` };
        const { sendMessage } = await client.mutate(SendMessageDocument, { input });
        expect(sendMessage.__typename).toBe('SendMessagePayload');
      }
    }),
  );
  isOver = true;
  await cutting;

  const total = perPeer * peers.length;
  for (const { messages, events, statuses } of peers) {
    expect(statuses).toContain('connecting');
    await expect.poll(() => messages.items.length, { timeout: 10 * SECOND }).toBeGreaterThanOrEqual(total);
    await expect
      .poll(() => addedSeqs(events.items).length, { timeout: 10 * SECOND })
      .toBeGreaterThanOrEqual(total);
    expect(seqs(messages.items)).toEqual(from1To(total));
    expect(addedSeqs(events.items)).toEqual(from1To(total));
    expect(new Set(messages.items.map(({ node }) => node.text)).size).toBe(total);
    expect([messages.errors, events.errors]).toEqual([[], []]);
  }
}, 120_000);
