import { beforeAll, expect, test } from 'vitest';
import type { Result } from '../helpers/client.js';
import { lowerLimits } from '../helpers/lower-limits.js';
import { startParley, type TestParley } from '../helpers/parley.js';
import { openRawSocket } from '../helpers/raw-socket.js';

/** A low limit: these tests check which counter is used, and each login hashes a password. */
const points = 4;
const [REFUSED, COUNTED] = ['RateLimitedError', 'InvalidCredentialsError'];

/** `count` logins in one operation. No account has this name, so only the limit by address counts them. */
const logins = (count: number) =>
  `mutation { ${Array.from({ length: count }, (_, i) => `a${i}: login(input: { username: "", password: "" }) { __typename }`).join(' ')} }`;

/** The results of one operation with `count` logins, from a client with this `X-Forwarded-For`. */
type LogIn = (parley: TestParley, forwarded: string, count?: number) => Promise<string[]>;

const typesOf = ({ data }: Result<object>): string[] =>
  Object.values(data ?? {}).map(({ __typename }: { __typename: string }) => __typename);

const transports: Record<string, LogIn> = {
  async HTTP({ url }, forwarded, count = 1) {
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-forwarded-for': forwarded },
      body: JSON.stringify({ query: logins(count) }),
    });
    // The tests check the server's answers.
    return typesOf((await response.json()) as Result<object>);
  },

  async WebSocket({ webSocketUrl }, forwarded, count = 1) {
    const socket = await openRawSocket(webSocketUrl, { headers: { 'x-forwarded-for': forwarded } });
    socket.send({ type: 'connection_init' });
    await socket.received('connection_ack');
    socket.subscribe('1', {}, logins(count));
    const [frame] = await socket.received('next', '1');
    socket.destroy();
    return typesOf(frame?.payload ?? {});
  },
};
const all = Object.values(transports);

beforeAll(() => {
  lowerLimits(['loginByAddress'], points);
});

test('behind a proxy each forwarded address has one counter of its own, over HTTP and WebSocket', async () => {
  const parley = await startParley({ env: { RATE_LIMITS: 'on', TRUSTED_PROXIES: '1' } });

  // Half over each transport, each time next to another address that the client claims.
  const counted = await Promise.all(
    all.map((logIn, index) => logIn(parley, `198.51.100.${index}, 203.0.113.1`, points / all.length)),
  );

  expect(counted.flat()).toEqual(Array(points).fill(COUNTED));
  for (const logIn of all) {
    expect(await logIn(parley, '198.51.100.9, 203.0.113.1')).toEqual([REFUSED]);
    expect(await logIn(parley, '203.0.113.1, 203.0.113.2')).toEqual([COUNTED]);
  }
});

test('without a proxy all claimed addresses share the counter of the connection', async () => {
  const parley = await startParley({ env: { RATE_LIMITS: 'on' } });

  const counted = await Promise.all(
    all.map((logIn, index) => logIn(parley, `203.0.113.${index}`, points / all.length)),
  );

  expect(counted.flat()).toEqual(Array(points).fill(COUNTED));
  for (const logIn of all) expect(await logIn(parley, '203.0.113.9')).toEqual([REFUSED]);
});
