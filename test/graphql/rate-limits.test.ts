import { beforeAll, expect, inject, test } from 'vitest';
import { ACTION_LIMITS } from '../../src/redis/rate-limiter.js';
import { at, type Person, request, signUp } from '../helpers/client.js';
import { startParley, startSibling, type TestParley } from '../helpers/parley.js';

const env = { RATE_LIMITS: 'on' };
let parley: TestParley;
let alice: Person;

beforeAll(async () => {
  parley = await startParley({ env });
  alice = await signUp(parley.url);
});

const login = async (url: string, username: string, password = 'a wrong password') =>
  (
    await request<{ login: { __typename: string; retryAfterMs?: number } }>(
      url,
      `mutation ($input: LoginInput!) {
        login(input: $input) { __typename ... on RateLimitedError { retryAfterMs message } }
      }`,
      { input: { username, password } },
    )
  ).data?.login;

test('login attempts are limited per username, ignoring letter case, and other usernames are unaffected', async () => {
  const bob = await signUp(parley.url);
  const { points, duration } = ACTION_LIMITS.loginByUsername;
  for (let attempt = 0; attempt < points; attempt += 1)
    expect(await login(parley.url, bob.username)).toEqual({ __typename: 'InvalidCredentialsError' });

  const refused = await login(parley.url, bob.username.toUpperCase(), 'correct horse battery');

  expect(refused).toMatchObject({ __typename: 'RateLimitedError' });
  expect(refused?.retryAfterMs).toBeGreaterThan(0);
  expect(refused?.retryAfterMs).toBeLessThanOrEqual(duration * 1000);
  expect(await login(parley.url, alice.username)).toEqual({ __typename: 'InvalidCredentialsError' });
});

test('a successful login resets the count of its username', async () => {
  const carol = await signUp(parley.url);
  for (let round = 0; round < 2; round += 1) {
    for (let attempt = 1; attempt < ACTION_LIMITS.loginByUsername.points; attempt += 1)
      await login(parley.url, carol.username);
    expect(await login(parley.url, carol.username, 'correct horse battery')).toEqual({
      __typename: 'AuthPayload',
    });
  }
});

test('a field without a result union fails with RATE_LIMITED, and instances with Redis share the count', async () => {
  const sibling = await startSibling(parley, { env });
  const find = (person: Person) => person.request('query { user(username: "nobody-at-all") { id } }');
  for (let attempt = 0; attempt < ACTION_LIMITS.findUser.points; attempt += 1)
    expect((await find(alice)).errors).toBeUndefined();

  expect((await find(alice)).errors).toMatchObject([
    { extensions: { code: 'RATE_LIMITED', retryAfterMs: expect.any(Number) } },
  ]);
  const elsewhere = await find(at(sibling.url, alice));
  if (inject('pair') === 'cluster')
    expect(elsewhere.errors).toMatchObject([{ extensions: { code: 'RATE_LIMITED' } }]);
  else expect(elsewhere.errors).toBeUndefined();
});
