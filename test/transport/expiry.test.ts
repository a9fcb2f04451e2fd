import { beforeAll, expect, test } from 'vitest';
import { createTokens } from '../../src/auth/tokens.js';
import type { AccessToken } from '../../src/domain/user.js';
import {
  at,
  connect,
  createRoom,
  MESSAGE_ADDED,
  type Person,
  page,
  ROOM_EVENTS,
  send,
  signUp,
  subscribe,
} from '../helpers/client.js';
import { openEventStream } from '../helpers/event-stream.js';
import { startParley, type TestParley } from '../helpers/parley.js';
import { openSocketOf } from '../helpers/raw-socket.js';

/** Expiry has a resolution of one second: a new token with two is valid for at least one. */
const TTL_SECONDS = 2;
/** Sockets are looked after once a second. */
const LATE_MS = 2000;

let parley: TestParley;
/** Has a token that outlives the test. */
let alice: Person;

/** Issues a token for Alice that expires after `seconds`, rounded down to a full second of the clock. */
async function accessTokenFor(seconds: number): Promise<AccessToken> {
  const tokens = createTokens(parley.config.jwtSecret ?? '', seconds);
  const authentication = await tokens.authenticate(alice.token);
  if (authentication.kind !== 'viewer') throw new Error('A token that was just issued must be valid.');
  return tokens.issue(authentication.viewer);
}

const tokenFor = async (seconds: number): Promise<string> => (await accessTokenFor(seconds)).token;

beforeAll(async () => {
  parley = await startParley({ env: { ACCESS_TOKEN_TTL: String(TTL_SECONDS) } });
  alice = await signUp(parley.url);
  alice = at(parley.url, { ...alice, token: await tokenFor(3600) });
});

test('ACCESS_TOKEN_TTL sets the lifetime of a token', async () => {
  const { data } = await alice.request<{ login: { accessTokenExpiresInMs: number } }>(
    'mutation ($input: LoginInput!) { login(input: $input) { ... on AuthPayload { accessTokenExpiresInMs } } }',
    { input: { username: alice.username, password: 'correct horse battery' } },
  );

  expect(data?.login.accessTokenExpiresInMs).toBeGreaterThan((TTL_SECONDS - 1) * 1000 - 500);
  expect(data?.login.accessTokenExpiresInMs).toBeLessThanOrEqual(TTL_SECONDS * 1000);
});

test('an open socket whose token expires is closed with 4403, before any operation ends', async () => {
  const roomId = await createRoom(alice);
  const socket = await openSocketOf({ token: await tokenFor(TTL_SECONDS) }, parley.webSocketUrl);
  socket.subscribe('silent', { roomId: await createRoom(alice) });
  socket.subscribe('busy', { roomId });
  let open = true;
  void socket.closed.then(() => {
    open = false;
  });
  while (open) await send(alice, roomId, 'x');

  expect(await socket.closed).toMatchObject({ code: 4403 });
  expect(new Set(socket.frames.map(({ type }) => type))).toEqual(new Set(['connection_ack', 'next']));
  expect(socket.frames.filter((frame) => frame.type === 'next' && frame.payload.errors)).toEqual([]);
});

test.each([
  ['without operations', false],
  ['with a subscription to a silent room', true],
])('a silent socket %s is closed with 4403 soon after its token has expired', async (_, isSubscribed) => {
  const roomId = await createRoom(alice);
  const { token, expiresAt } = await accessTokenFor(TTL_SECONDS);
  const socket = await openSocketOf({ token }, parley.webSocketUrl);
  if (isSubscribed) socket.subscribe('silent', { roomId });
  let closed: { code: number; lateMs: number } | undefined;
  void socket.closed.then(({ code }) => {
    closed = { code, lateMs: Date.now() - expiresAt.getTime() };
  });

  await expect.poll(() => closed?.code, { timeout: TTL_SECONDS * 1000 + LATE_MS }).toBe(4403);

  expect(closed?.lateMs).toBeGreaterThanOrEqual(0);
  expect(closed?.lateMs).toBeLessThan(LATE_MS);
  expect(socket.frames).toEqual([{ type: 'connection_ack' }]);
});

test.each([
  ['messageAdded', MESSAGE_ADDED],
  ['roomEvents', ROOM_EVENTS],
])(
  'an event stream of %s ends with EXPIRED instead of an event after its token has expired',
  async (_, query) => {
    const roomId = await createRoom(alice);
    const { liveCursor: after } = await page(alice, roomId);
    const { token, expiresAt } = await accessTokenFor(TTL_SECONDS);
    const stream = await openEventStream(parley.url, { token }, { roomId, after }, query);
    await send(alice, roomId, 'before the expiry');
    const received = () => JSON.stringify(stream.events);
    await expect.poll(received).toContain('before the expiry');
    await expect.poll(() => Date.now(), { timeout: 5000 }).toBeGreaterThanOrEqual(expiresAt.getTime());

    await send(alice, roomId, 'after the expiry');

    await expect.poll(received).toMatch(/EXPIRED|after the expiry/);
    expect(received()).not.toContain('after the expiry');
    expect(await stream.ended).toBe(true);
    const [last, complete] = stream.events.slice(-2);
    expect(last).toMatchObject({
      event: 'next',
      result: { errors: [{ extensions: { code: 'UNAUTHENTICATED', reason: 'EXPIRED' } }] },
    });
    expect(last?.result?.data ?? null).toBeNull();
    expect(complete).toEqual({ event: 'complete', result: null });
  },
);

test('the standard client continues with new tokens, without a gap or a duplicate', async () => {
  const roomId = await createRoom(alice);
  const codes: number[] = [];
  let connections = 0;
  const client = connect(parley.webSocketUrl, async () => ({
    authorization: `Bearer ${await tokenFor(TTL_SECONDS)}`,
  }));
  client.on('connected', () => {
    connections += 1;
  });
  // With `ws`, the event is a CloseEvent, although the client does not know its type.
  client.on('closed', (event) => codes.push((event as { code: number }).code));
  const subscription = subscribe(client, roomId);
  let lost = false;
  void subscription.ended.then(() => {
    lost = true;
  });
  // The first messages may precede the subscription; all messages after its first one must arrive.
  let sent = 0;
  while (connections < 3 && !lost) {
    sent += 1;
    await send(alice, roomId, `${sent}`);
  }
  const first = subscription.edges[0]?.node.seq ?? 0;
  const edges = await subscription.received(sent - first + 1);

  expect(codes.length).toBeGreaterThanOrEqual(2);
  expect(new Set(codes)).toEqual(new Set([4403]));
  expect(edges.map(({ node }) => node.seq)).toEqual(
    Array.from({ length: sent - first + 1 }, (_, index) => first + index),
  );
});
